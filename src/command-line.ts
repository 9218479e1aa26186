import { relative } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What stands before the arguments; for `demo` it may be another. */
interface Start {
  readonly usual: string;
  readonly demo: string;
}

let start: Start = sameFor('amplitude-to-s3');

/** Told once, when the program starts: `script` is the path that it was started by, `flags` those of Node.js. */
export function startedBy(script: string, env: Environment, flags: readonly string[] = []): void {
  start = startOf(script, env, flags);
}

/** The command line that runs `args` the way in which this program was started, so that it can be copied and run. */
export function command(args: string): string {
  const [first, ...rest] = args.split(' ');
  if (first !== 'demo' || start.demo === start.usual) return `${start.usual} ${args}`;
  return rest.length === 0 ? start.demo : `${start.demo} -- ${rest.join(' ')}`;
}

function startOf(script: string, env: Environment, flags: readonly string[]): Start {
  const image = env.AMPLITUDE_TO_S3_IMAGE ?? '';
  if (image !== '') {
    // What of the host is mounted, only the person knows who mounted it: with a folder the command is not whole.
    const { DESTINATION: destination = '' } = env;
    const toFolder = destination !== '' && !destination.startsWith('s3://');
    return sameFor(`docker run ${toFolder ? '…' : '--rm --env-file .env'} ${image}`);
  }
  if (env.npm_lifecycle_event === 'start') return sameFor('npm start --');
  if (env.npm_lifecycle_event === 'demo') return { usual: 'npm start --', demo: 'npm run demo' };
  if (/[/\\]amplitude-to-s3$/.test(script)) return sameFor('amplitude-to-s3');
  const below = relative('', script);
  const path = below === '' || below.startsWith('..') ? script : below;
  return sameFor(['node', ...settingsIn(flags), path].map(quoted).join(' '));
}

/** Without the settings of its env file, the command would be refused or mean another destination. */
function settingsIn(flags: readonly string[]): string[] {
  return flags.filter((flag, at) => isEnvFile(flag) || (isEnvFile(flags[at - 1]) && !flags[at - 1]?.includes('=')));
}

function isEnvFile(flag = ''): boolean {
  return /^--env-file(-if-exists)?(=|$)/.test(flag);
}

function quoted(word: string): string {
  return /^[\w./\\:@+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function sameFor(usual: string): Start {
  return { usual, demo: usual };
}
