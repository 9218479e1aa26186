import { command as commandLine, isStartedByNpm } from '../command-line.ts';
import type { Environment } from '../config/settings.ts';
import { UsageError } from '../errors.ts';
import { dashed, type Flag, type Flags } from './command.ts';

/** An .npmrc may set the first two, and npm answers the others itself. */
const NPMS_OWN = ['force', 'json', 'help', 'version'];

/**
 * npm keeps the flags before `--` for itself and hands them on as npm_config_…: `npm start --dry-run` would be a real export.
 * Throws a UsageError that names them.
 */
export function refuseKeptByNpm(args: readonly string[], flags: Flags, env: Environment): void {
  if (!isStartedByNpm(env)) return;
  const kept = Object.entries(flags)
    .filter(([key, flag]) => !NPMS_OWN.includes(key) && !isGiven(dashed(key), flag, args))
    .map(([key, flag]) => ({ name: `--${dashed(key)}`, written: asWritten(dashed(key), flag, env) }))
    .filter(({ written }) => written.length > 0);
  if (kept.length === 0) return;
  const written = kept.flatMap((flag) => flag.written);
  // Of `--start 2026-11-20` npm keeps the name alone, so that the value looks like a command or a folder.
  const isTorn = written.some((flag) => flag.endsWith('=…'));
  const rest = isTorn ? args.filter((arg, at) => arg.startsWith('-') || (at === 0 && /^[a-z]+$/.test(arg))) : args;
  throw new UsageError(
    `npm kept ${kept.map(({ name }) => name).join(' and ')} for itself.`,
    `Write \`${commandLine([...rest, ...written].join(' '))}\`: what stands before -- is npm's.`,
  );
}

function isGiven(name: string, { short = name }: Flag, args: readonly string[]): boolean {
  return args.some((arg) => arg === `-${short}` || arg === `--${name}` || arg.startsWith(`--${name}=`));
}

/** The flag as it was before npm took it, once for each value; nothing where npm did not take it. */
function asWritten(name: string, flag: Flag, env: Environment): string[] {
  const ofNpm = (option: string) => env[`npm_config_${option.replaceAll('-', '_')}`];
  // npm makes `events` set to nothing of `--no-events`.
  const isNegated = name.startsWith('no-') && ofNpm(name.slice(3)) === '';
  const value = isNegated ? 'true' : (ofNpm(name) ?? '');
  if (value === '' || value === 'false') return [];
  const needsValue = flag.type !== 'boolean' && flag.bare === undefined;
  const without = needsValue ? `--${name}=…` : `--${name}`;
  return value.split('\n\n').map((each) => (each === 'true' ? without : `--${name}=${each}`));
}
