import { readFileSync } from 'node:fs';
import leven from 'leven';
import type { Environment } from '../config.ts';
import { systemCode } from '../errors.ts';
import { isPath, localPath, PathError } from './path.ts';
import { VARIABLES, type Variable, type VariableName } from './variables.ts';

/** Where each setting was found: `name` is what the person wrote, so that messages speak of that. */
export interface Found {
  readonly name: string;
  readonly value: string;
}

export function namesOf(name: VariableName): readonly string[] {
  return [name, ...((VARIABLES[name] as Variable).aliases ?? [])];
}

/** The value of a setting by its first name that is set, from the variable or its `_FILE`. Problems are added to the list. */
export function find(canonical: VariableName, env: Environment, problems: string[]): Found | undefined {
  const { secret } = VARIABLES[canonical] as Variable;
  for (const name of namesOf(canonical)) {
    const file = secret === true ? (env[`${name}_FILE`] ?? '') : '';
    let value = (env[name] ?? '').trim();
    if (value === '' && file !== '') {
      try {
        value = readFileSync(localPath(file), 'utf8').trim();
      } catch (error) {
        problems.push(`${name}_FILE ${whyUnread(file, error)}.`);
        return undefined;
      }
      if (value === '') problems.push(`${name}_FILE names ${isPath(file) ? file : 'a file'}, which is empty.`);
    }
    if (value === '') continue;
    if (/^(["']).*\1$/s.test(value)) {
      problems.push(
        `${name} is wrapped in quotes, and docker run --env-file passes them on as part of the value: write it without them.`,
      );
      return undefined;
    }
    return { name, value };
  }
  return undefined;
}

/** People paste the secret itself where its file is asked for, so nothing is quoted that does not begin as a path. */
function whyUnread(file: string, error: unknown): string {
  if (error instanceof PathError) return `cannot be used: it ${error.message}`;
  const why = `cannot be read (${systemCode(error)})`;
  return isPath(file)
    ? `names ${file}, which ${why}`
    : `names a file that ${why}: it takes the path of a file, not the secret`;
}

/** The words for a setting that is required and not there. */
export function missing(name: VariableName, unknown: readonly { name: string; meant: string }[]): string {
  const { example, aliases } = VARIABLES[name] as Variable;
  const near = unknown.find(({ meant }) => namesOf(name).includes(meant));
  const guess = near === undefined ? '' : ` ${near.name} is set, but is no setting of this program: is it misspelt?`;
  const also = aliases === undefined ? '' : ` (or ${aliases.join(' or ')})`;
  return `${name}${also} is not set, for example ${name}=${example}.${guess}`;
}

/** Other programs' settings that look much like ours. */
const OTHERS = /^(AWS_ENDPOINT_URL_|ftp_proxy$|APP_REGION$)/i;

/** Whether one is the other misspelt: two letters off at the most, one in a short word, where two may be chance. */
function isNear(name: string, other: string): boolean {
  return leven(name.toLowerCase(), other.toLowerCase()) <= (name.length > 10 ? 2 : 1);
}

/** Names near to those of a setting that is not found, and long enough for that to be no chance. */
export function misspelt(env: Environment, found: ReadonlyMap<VariableName, Found>): { name: string; meant: string }[] {
  const known = (Object.keys(VARIABLES) as VariableName[]).flatMap(namesOf);
  const right = new Set([...found.keys()].flatMap(namesOf));
  const taken = new Set([...known, ...known.map((name) => `${name}_FILE`)]);
  return Object.keys(env).flatMap((name) => {
    if (name.length < 8 || taken.has(name) || OTHERS.test(name) || (env[name] ?? '') === '') return [];
    const meant = known.find((other) => other.length >= 8 && isNear(name, other));
    return meant === undefined || right.has(meant) ? [] : [{ name, meant }];
  });
}

/** What stands in the variables of secrets, also where it cannot be used. */
export function inSecretVariables(env: Environment): string[] {
  const names = (Object.keys(VARIABLES) as VariableName[]).filter((name) => (VARIABLES[name] as Variable).secret);
  return names.flatMap(namesOf).map((name) => (env[name] ?? '').trim().replace(/^(["'])(.*)\1$/s, '$2'));
}
