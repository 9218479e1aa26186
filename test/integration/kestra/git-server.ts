import { execFile, spawn } from 'node:child_process';
import { appendFile, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);

export interface GitServer {
  /** Of the repository: this checkout's files on `main` and as the tag `v1`; another lockfile on `next`, no lockfile on `broken`. */
  readonly url: string;
  readonly user: string;
  readonly token: string;
  /** Requests that were let in. */
  readonly admitted: string[];
  close(): Promise<void>;
}

/** A private git repository over HTTP on loopback, as GitHub serves one: user and token, else 401. */
export async function startGitServer(): Promise<GitServer> {
  const folder = await mkdtemp(join(tmpdir(), 'kestra-git-'));
  await makeRepository(folder);
  const user = 'git-user';
  const token = 'git-token-1234567890';
  const expected = `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;
  const admitted: string[] = [];
  const server = createServer((request, response) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    admitted.push(`${request.method} ${request.url}`);
    backend(folder, request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/amplitude-to-s3.git`,
    user,
    token,
    admitted,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The files as they are now, also those that are not committed yet. */
async function makeRepository(folder: string): Promise<void> {
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], { maxBuffer: 2 ** 26 });
  const work = join(folder, 'work');
  const { stdout } = await git('-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  for (const name of stdout.split('\0').filter((file) => file !== '')) {
    await mkdir(dirname(join(work, name)), { recursive: true });
    await copyFile(join(ROOT, name), join(work, name)).catch((error: NodeJS.ErrnoException) => {
      // Deleted, but not committed so.
      if (error.code !== 'ENOENT') throw error;
    });
  }
  await git('init', '--quiet', '--initial-branch', 'main', work);
  await git('-C', work, 'add', '--all', '--force');
  await git('-C', work, 'commit', '--quiet', '--message', 'as it is');
  await git('-C', work, 'tag', 'v1');
  await git('-C', work, 'checkout', '--quiet', '-b', 'next');
  await appendFile(join(work, 'package-lock.json'), '\n');
  await git('-C', work, 'commit', '--quiet', '--all', '--message', 'another lockfile');
  await git('-C', work, 'checkout', '--quiet', '-b', 'broken');
  await git('-C', work, 'rm', '--quiet', 'package-lock.json');
  await git('-C', work, 'commit', '--quiet', '--message', 'no lockfile');
  await git('-C', work, 'checkout', '--quiet', 'main');
  await git('clone', '--quiet', '--bare', work, join(folder, 'amplitude-to-s3.git'));
  await rm(work, { recursive: true });
}

/** Hands a request to git's own server, by CGI. */
function backend(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://git');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  child.stdout.on('data', (data: Buffer) => {
    if (response.headersSent) {
      response.write(data);
      return;
    }
    head = Buffer.concat([head, data]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const headers = head
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string]);
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200';
    response.writeHead(Number.parseInt(status, 10), Object.fromEntries(headers.filter(([name]) => name !== 'Status')));
    response.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => response.end());
}
