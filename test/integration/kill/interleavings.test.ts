/** The schedules of the quick tests, twenty times as many. */
process.env.KILL_SCHEDULES ??= '2000';
await import('../../unit/interleavings.test.ts');
