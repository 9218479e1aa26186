import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const FOLDER = resolve(import.meta.dirname, 'stand-in');
/** Below a folder that git and npm leave alone. */
const VENV = resolve(import.meta.dirname, '../../../node_modules/.cache/snowflake-stand-in');
/** The connector must stay below 5: fakesnow 0.12.1 imports what 5 no longer has. */
const PACKAGES = ['fakesnow[server]==0.12.1', 'snowflake-connector-python==4.8.1', 's3fs==2026.9.0'];
const run = promisify(execFile);

async function install(): Promise<void> {
  const mark = resolve(VENV, '.installed');
  if ((await readFile(mark, 'utf8').catch(() => '')) === PACKAGES.join(' ')) return;
  process.stderr.write('Installing a stand-in for Snowflake, once: fakesnow, with python3 and pip\n');
  await rm(VENV, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', VENV]);
  await run(`${VENV}/bin/pip`, ['install', '-q', '--disable-pip-version-check', ...PACKAGES]);
  await writeFile(mark, PACKAGES.join(' '));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A fakesnow of our own, whose stages are on the S3 server that the environment names. */
export async function startStandIn(env: Readonly<Record<string, string>>): Promise<{ url: string; close(): void }> {
  await install();
  const port = await freePort();
  const child = spawn(`${VENV}/bin/python`, [`${FOLDER}/serve.py`, port.toString()], {
    env: { ...env, PATH: process.env.PATH, PYTHONPATH: FOLDER, SNOWFLAKE_DISABLE_PLATFORM_DETECTION: 'true' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (data) => {
    said = `${said}${data}`.slice(-4000);
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 300 && child.exitCode === null; tries++) {
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok) return { url, close: () => void child.kill() };
    await pause(100);
  }
  child.kill();
  throw new Error(`The stand-in for Snowflake did not start: ${said}`);
}
