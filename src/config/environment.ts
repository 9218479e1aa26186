import { readFileSync } from 'node:fs';
import type { Environment } from '../command-line.ts';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../log.ts';
import { choiceOf, type Reader } from './readers.ts';

/** The only look at the process's environment. Everything else gets what it needs handed in. */
export function processEnvironment(): Environment {
  // An editor's mark at the start of an env file ends up in the first name.
  for (const [name, value] of Object.entries(process.env)) {
    if (!name.startsWith('\uFEFF')) continue;
    process.env[name.slice(1)] ??= value;
    delete process.env[name];
  }
  // The AWS SDK reads its own variables and takes an empty one for a value.
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_') && process.env[name] === '') delete process.env[name];
  }
  return process.env;
}

/** What is mounted where, as Linux tells it; empty elsewhere. */
export function processMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}

/** The settings of the log, which must be known before anything can be said. What is wrong here is reported later. */
export function logSettings(env: Environment, isTerminal: boolean) {
  const format = readOr<LogFormat>(isTerminal ? 'pretty' : 'json', choiceOf(LOG_FORMATS), env.LOG_FORMAT);
  const level = readOr<LogLevel>('info', choiceOf(LOG_LEVELS), env.LOG_LEVEL);
  return { format, level, color: isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb' };
}

function readOr<T>(usual: T, reader: Reader<T>, text = ''): T {
  try {
    return reader(text);
  } catch {
    return usual;
  }
}
