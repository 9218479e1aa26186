import { readFileSync } from 'node:fs';
import leven from 'leven';
import { systemCode } from '../errors.ts';
import { agreeing } from '../format.ts';
import { isPath, localPath, PathError } from './path.ts';
import type { Environment } from './settings.ts';
import { VARIABLES, type Variable, type VariableName } from './variables.ts';

/** Where each setting was found: `name` is what the person wrote, so that messages speak of that. */
export interface Found {
  readonly name: string;
  readonly value: string;
}

export function namesOf(name: VariableName): readonly string[] {
  return [name, ...((VARIABLES[name] as Variable).aliases ?? [])];
}

/** AWS's SDK reads it for its other services, so it may well stand beside the one of S3. */
const MAY_DIFFER = ['AWS_ENDPOINT_URL'];

/** A variable that may hold a setting; where it is not `name` itself, it holds the path of a file that does. */
interface Place {
  readonly name: string;
  readonly variable: string;
}

/**
 * The value of a setting by its first name that is set, from the variable or its `_FILE`. Problems are added to their
 * list, and what is set to another value and not used to the warnings.
 */
export function find(
  canonical: VariableName,
  env: Environment,
  problems: string[],
  warnings: string[],
): Found | undefined {
  const { secret } = VARIABLES[canonical] as Variable;
  const places = namesOf(canonical).flatMap((name): Place[] => {
    const itself = { name, variable: name };
    return secret === true ? [itself, { name, variable: `${name}_FILE` }] : [itself];
  });
  for (const [at, place] of places.entries()) {
    const { name, variable } = place;
    const text = env[variable] ?? '';
    let value: string;
    try {
      value = read(place, env);
    } catch (error) {
      problems.push(`${variable} ${whyUnread(text, error)}.`);
      return undefined;
    }
    if (value === '') {
      if (variable === name || text === '') continue;
      problems.push(`${variable} names ${isPath(text) ? text : 'a file'}, which is empty.`);
      continue;
    }
    if (/^(["']).*\1$/s.test(value)) {
      problems.push(
        `${name} is wrapped in quotes, and docker run --env-file passes them on as part of the value: write it without them.`,
      );
      return undefined;
    }
    const beaten = places.slice(at + 1).filter((other) => differs(other, value, env));
    if (beaten.length > 0) {
      const names = beaten.map((other) => other.variable).join(' and ');
      warnings.push(
        `${variable} is used, and ${names} ${agreeing(beaten.length, 'is', 'are')} not: leave ${agreeing(beaten.length, 'one', 'all but one')} of them out.`,
      );
    }
    return { name, value };
  }
  return undefined;
}

function read({ name, variable }: Place, env: Environment): string {
  const text = env[variable] ?? '';
  return (variable === name || text === '' ? text : readFileSync(localPath(text), 'utf8')).trim();
}

/** Whether something else than `value` stands there. What cannot be read was meant to be used too. */
function differs(place: Place, value: string, env: Environment): boolean {
  if (MAY_DIFFER.includes(place.variable)) return false;
  try {
    return !['', value].includes(read(place, env));
  } catch {
    return true;
  }
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
