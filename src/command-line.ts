import { relative } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What stands before the arguments in each command line that is printed. */
let prefix = 'amplitude-to-s3';
/** Whether `npm run demo` started the program: npm has a script of its own for it. */
let isDemo = false;

/** Called once, when the program starts: `script` is the path that Node.js runs, `flags` are those of Node.js. */
export function startedBy(script: string, env: Environment, flags: readonly string[] = []): void {
  prefix = prefixOf(script, env, flags);
  isDemo = prefix === 'npm start --' && env.npm_lifecycle_event === 'demo';
}

/** Whether one of the scripts in package.json runs the program. */
export function isStartedByNpm(env: Environment): boolean {
  return ['start', 'demo'].includes(env.npm_lifecycle_event ?? '');
}

/** The command line that runs `args` in the way this program was started, so that a person can copy and run it. */
export function command(args: string): string {
  if (args === 'demo' && isDemo) return 'npm run demo';
  return isDemo && args.startsWith('demo ') ? `npm run demo -- ${args.slice(5)}` : `${prefix} ${args}`;
}

function prefixOf(script: string, env: Environment, flags: readonly string[]): string {
  const { AMPLITUDE_TO_S3_IMAGE: image = '', DESTINATION: destination = '', LOG_FORMAT: format } = env;
  // In Kestra nobody has a shell: a command is an input of this flow.
  if (format === 'kestra') return 'amplitude_run:';
  if (image !== '') {
    // Only the person knows which folder of the host is mounted: with a folder, the command cannot be whole.
    const toFolder = destination !== '' && !destination.startsWith('s3://');
    return `docker run ${toFolder ? '…' : '--rm --env-file .env'} ${image}`;
  }
  if (isStartedByNpm(env)) return 'npm start --';
  if (/[/\\]amplitude-to-s3$/.test(script)) return 'amplitude-to-s3';
  const below = relative('', script);
  const path = below === '' || below.startsWith('..') ? script : below;
  return ['node', ...flags.filter(namesEnvFile), path].map(quoted).join(' ');
}

/** Without its env file the command would be refused, or would mean another destination. */
function namesEnvFile(flag: string, index: number, flags: readonly string[]): boolean {
  return /^--env-file(-if-exists)?(=|$)/.test(flag) || /^--env-file(-if-exists)?$/.test(flags[index - 1] ?? '');
}

function quoted(word: string): string {
  return /^[\w./\\:@+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
