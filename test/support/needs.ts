/** The value of the variable that a suite needs. Where it is not set, the suite is skipped, and says so. */
export function needs(suite: Mocha.Context, variable: string): string {
  const value = process.env[variable] ?? '';
  if (value !== '') return value;
  process.stderr.write(`    SKIPPED: ${variable} is not set\n`);
  return suite.skip();
}
