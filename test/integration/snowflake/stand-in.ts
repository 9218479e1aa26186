import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { venv } from '../../support/venv.ts';

const FOLDER = resolve(import.meta.dirname, 'stand-in');
/** The connector must stay below 5: fakesnow 0.12.1 imports what 5 no longer has. */
const PACKAGES = ['fakesnow[server]==0.12.1', 'snowflake-connector-python==4.8.1', 's3fs==2026.9.0'];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** A fakesnow of our own, whose stages are on the S3 server that the environment names. */
export async function startStandIn(env: Readonly<Record<string, string>>): Promise<{ url: string; close(): void }> {
  const folder = await venv('snowflake-stand-in', PACKAGES);
  const port = await freePort();
  const child = spawn(`${folder}/bin/python`, [`${FOLDER}/serve.py`, port.toString()], {
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
