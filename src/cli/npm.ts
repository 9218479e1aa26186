import { command } from '../command-line.ts';
import { UsageError } from '../errors.ts';

/** An .npmrc may set the first two, and npm answers the others itself. */
const NPMS_OWN = ['force', 'json', 'help', 'version'];

/** The flags whose value may be left out. */
const BARE = ['fail-on-gaps'];

/**
 * npm takes the flags before `--` for its own and hands them on as npm_config_…: without them the job would be another
 * one, `npm start --dry-run` a real export. Throws a UsageError that names them.
 */
export function refuseKeptByNpm(
  args: readonly string[],
  flags: Readonly<Record<string, { readonly type: string; readonly short?: string }>>,
  env: Readonly<Record<string, string | undefined>>,
): void {
  if (!['start', 'demo'].includes(env.npm_lifecycle_event ?? '')) return;
  const kept = Object.entries(flags).flatMap(([name, { type, short = name }]) => {
    const given = args.some((arg) => arg === `-${short}` || arg === `--${name}` || arg.startsWith(`--${name}=`));
    if (given || NPMS_OWN.includes(name)) return [];
    // npm makes `events` set to nothing of `--no-events`.
    const negated = name.startsWith('no-') && env[setByNpm(name.slice(3))] === '';
    const value = negated ? 'true' : (env[setByNpm(name)] ?? '');
    if (value === '' || value === 'false') return [];
    return value.split('\n\n').map((each) => ({ name, value: each === 'true' ? undefined : each, type }));
  });
  if (kept.length === 0) return;
  const written = kept.map(({ name, value, type }) => {
    if (value !== undefined) return `--${name}=${value}`;
    return type === 'string' && !BARE.includes(name) ? `--${name}=…` : `--${name}`;
  });
  // `--start 2026-11-20` loses its name alone, so that the value looks like a command or a folder.
  const torn = written.some((flag) => flag.endsWith('=…'));
  const rest = torn ? args.filter((arg, at) => arg.startsWith('-') || (at === 0 && /^[a-z]+$/.test(arg))) : args;
  const names = [...new Set(kept.map(({ name }) => `--${name}`))].join(' and ');
  throw new UsageError(
    `npm kept ${names} for itself.`,
    `Write \`${command([...rest, ...written].join(' '))}\`: what stands before -- is npm's.`,
  );
}

function setByNpm(name: string): string {
  return `npm_config_${name.replaceAll('-', '_')}`;
}
