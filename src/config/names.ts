import { readFileSync } from 'node:fs';
import leven from 'leven';
import type { Environment } from '../command-line.ts';
import { systemCode } from '../errors.ts';
import { agreeing } from '../format.ts';
import { isPath, localPath, PathError } from './path.ts';
import { ValueError } from './readers.ts';
import { VARIABLE_NAMES, VARIABLES, type VariableName } from './variables.ts';

/** A setting as the person wrote it: messages use that name. */
export interface Found {
  readonly name: string;
  readonly value: string;
}

/** The settings that are set; undefined for one that cannot be used. */
export type Given = Map<VariableName, Found | undefined>;

function namesOf(name: VariableName): readonly string[] {
  return [name, ...(VARIABLES[name].aliases ?? [])];
}

/** A variable that may hold a setting. If it is not `name` itself, it holds the path of a file. */
interface Place {
  readonly name: string;
  readonly variable: string;
}

/**
 * Finds a setting by the first of its names that is set, in the variable or in its `_FILE`. Adds what is wrong with it to
 * `problems`, and other values that do not count to `warnings`.
 */
export function find(
  setting: VariableName,
  env: Environment,
  problems: string[],
  warnings: string[],
): Found | undefined {
  const [place, ...others] = namesOf(setting)
    .flatMap((name) =>
      (VARIABLES[setting].secret ? [name, `${name}_FILE`] : [name]).map((variable) => ({ name, variable })),
    )
    .filter(({ variable }) => (env[variable] ?? '').trim() !== '');
  if (place === undefined) return undefined;
  let value: string;
  try {
    value = valueAt(place, env);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    problems.push(`${place.variable} ${error.message}.`);
    return undefined;
  }
  const unused = others.filter((other) => isAnother(other, value, env)).map(({ variable }) => variable);
  if (unused.length > 0) {
    const [are, one] = [agreeing(unused.length, 'is', 'are'), agreeing(unused.length, 'one', 'all but one')];
    warnings.push(`${place.variable} is used, and ${unused.join(' and ')} ${are} not: leave ${one} of them out.`);
  }
  return { name: place.name, value };
}

function valueAt({ name, variable }: Place, env: Environment): string {
  const text = (env[variable] ?? '').trim();
  const value = variable === name ? text : readSecretFile(text);
  if (/^(["']).*\1$/s.test(value)) {
    throw new ValueError(
      'is wrapped in quotes, and docker run --env-file passes them on as part of the value: write it without them',
    );
  }
  return value;
}

/** People paste the secret itself where its file belongs, so no message quotes a text that does not start as a path. */
function readSecretFile(file: string): string {
  let content: string;
  try {
    content = readFileSync(localPath(file), 'utf8').trim();
  } catch (error) {
    if (error instanceof PathError) throw new ValueError(`cannot be used: it ${error.message}`);
    const why = `cannot be read (${systemCode(error)})`;
    throw new ValueError(
      isPath(file)
        ? `names ${file}, which ${why}`
        : `names a file that ${why}: it takes the path of a file, not the secret`,
    );
  }
  if (content === '') throw new ValueError(`names ${isPath(file) ? file : 'a file'}, which is empty`);
  return content;
}

/** A file that cannot be read counts: somebody meant to use it. */
function isAnother(place: Place, value: string, env: Environment): boolean {
  // The AWS SDK reads it for its other services, so it may differ from the address of S3.
  if (place.variable === 'AWS_ENDPOINT_URL') return false;
  try {
    return valueAt(place, env) !== value;
  } catch {
    return true;
  }
}

/** The sentence for a required setting that is not set. */
export function missing(setting: VariableName): string {
  const [, ...aliases] = namesOf(setting);
  return `${setting} (or ${aliases.join(' or ')}) is not set, for example ${setting}=${VARIABLES[setting].example}.`;
}

/** Settings of other programs that look much like ours. */
const OTHERS = /^(AWS_ENDPOINT_URL_|ftp_proxy$|APP_REGION$)/i;

/** Shorter names may be similar by chance. */
const LEAST_LENGTH = 8;

/** A sentence for each name that is one or two letters away from that of a setting that is not found. */
export function misspelt(env: Environment, given: Given): string[] {
  const known = VARIABLE_NAMES.flatMap(namesOf);
  const taken = new Set(known.flatMap((name) => [name, `${name}_FILE`]));
  const right = new Set([...given.keys()].flatMap(namesOf));
  return Object.keys(env).flatMap((name) => {
    if (name.length < LEAST_LENGTH || taken.has(name) || OTHERS.test(name) || (env[name] ?? '') === '') return [];
    const distance = name.length > 10 ? 2 : 1;
    const meant = known.find(
      (other) => other.length >= LEAST_LENGTH && leven(name.toLowerCase(), other.toLowerCase()) <= distance,
    );
    if (meant === undefined || right.has(meant)) return [];
    return [`${name} is no setting of this program; did you mean ${meant}?`];
  });
}

/** What the variables of secrets hold, even if it cannot be used. */
export function textsOfSecrets(env: Environment): string[] {
  const names = VARIABLE_NAMES.filter((name) => VARIABLES[name].secret).flatMap(namesOf);
  return names.map((name) => (env[name] ?? '').trim().replace(/^(["'])(.*)\1$/s, '$2'));
}
