import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../../..');

/** Where the tests that need an image find one; `BuildKit` only where the docker client has it. */
export type Builder = 'classic' | 'BuildKit';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface DockerOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the docker client to its end; the test's own servers go on answering meanwhile. */
export function docker(args: readonly string[], { env = {} }: DockerOptions = {}): Promise<Ended> {
  return new Promise((ended, failed) => {
    const child = spawn('docker', args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', failed);
    child.on('close', (code) => ended({ code, stdout, stderr }));
  });
}

/** As docker(), for commands that have to succeed: gives their output without the last line end. */
export async function dockerOutput(args: readonly string[], options: DockerOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await docker(args, options);
  if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}:\n${tail(stdout + stderr)}`);
  return stdout.trimEnd();
}

function tail(text: string): string {
  return text.split('\n').slice(-30).join('\n');
}

/** Skips the suite, and says why, where no Docker engine answers. */
export async function needEngine(suite: Mocha.Context): Promise<void> {
  const { code, stderr } = await docker(['version', '--format', '{{.Server.Version}}']).catch((error: Error) => ({
    code: null,
    stderr: error.message,
  }));
  if (code === 0) return;
  const where = process.env.DOCKER_HOST ?? 'the default address (DOCKER_HOST is not set)';
  process.stderr.write(`    SKIPPED: no Docker engine answers at ${where}: ${stderr.trim().split('\n').at(-1)}\n`);
  suite.skip();
}

export async function hasBuildKit(): Promise<boolean> {
  return (await docker(['buildx', 'version'])).code === 0;
}

export const LABELS = {
  SOURCE: 'https://git.example.com/amplitude-to-s3',
  REVISION: '0123456789abcdef0123456789abcdef01234567',
  VERSION: '1.2.3-test',
  CREATED: '2026-11-21T05:00:00Z',
} as const;

const images = new Map<Builder, Promise<string>>();

/** The image as `builder` makes it of this checkout, built once for all suites; its name. */
export function imageBy(builder: Builder): Promise<string> {
  const built = images.get(builder) ?? build(builder);
  images.set(builder, built);
  return built;
}

async function build(builder: Builder): Promise<string> {
  const name = `amplitude-to-s3-test:${builder.toLowerCase()}-${process.pid}`;
  const labels = Object.entries(LABELS).flatMap(([arg, value]) => ['--build-arg', `${arg}=${value}`]);
  const env = { DOCKER_BUILDKIT: builder === 'classic' ? '0' : '1' };
  await dockerOutput(['build', '--network', 'host', '--tag', name, ...labels, '.'], { env });
  return name;
}

/** The image that the tests of running it share. */
export const image = (): Promise<string> => imageBy('classic');

/** Removes the images that were built. */
export async function removeImages(): Promise<void> {
  for (const built of images.values()) await docker(['image', 'rm', '--force', await built.catch(() => '')]);
  images.clear();
}

/** `docker run` on the host's network, where the test's servers listen on loopback. */
export async function run(options: readonly string[], command: readonly string[]): Promise<Ended> {
  return await docker(['run', '--rm', '--network', 'host', ...options, await image(), ...command]);
}

/** A shell line inside the image; its output. */
export async function shell(line: string, options: readonly string[] = []): Promise<string> {
  const flags = ['run', '--rm', '--network', 'host', '--entrypoint', '/bin/sh', ...options];
  return await dockerOutput([...flags, await image(), '-c', line]);
}

export interface Stopped {
  readonly exitCode: number;
  readonly tookMs: number;
  readonly logs: string;
}

/** Stops a container that runs in the background, as an orchestrator does, and removes it. */
export async function stop(container: string): Promise<Stopped> {
  const before = Date.now();
  await dockerOutput(['stop', '--time', '20', container]);
  const tookMs = Date.now() - before;
  const exitCode = Number(await dockerOutput(['inspect', '--format', '{{.State.ExitCode}}', container]));
  const { stdout, stderr } = await docker(['logs', container]);
  await dockerOutput(['rm', container]);
  return { exitCode, tookMs, logs: stdout + stderr };
}
