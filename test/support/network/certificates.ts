import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';

export interface Authority {
  /** The file of its certificate. */
  readonly file: string;
  /** A certificate for these names; `days` below 0: it has expired. */
  issue(names: string, days?: number): { readonly cert: Buffer; readonly key: Buffer };
  remove(): void;
}

/** A certificate authority that nobody trusts, made by openssl. */
export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'authority-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=Private CA');
  return {
    file: join(folder, 'ca.pem'),
    issue(names, days = 1) {
      openssl('req', ...newKey, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', '/CN=server');
      writeFileSync(join(folder, 'names'), `subjectAltName=${names}\n`);
      const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names'];
      openssl('x509', '-req', '-in', 'request.pem', ...signed, '-days', String(days), '-out', 'cert.pem');
      return { cert: readFileSync(join(folder, 'cert.pem')), key: readFileSync(join(folder, 'key.pem')) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface TlsFront {
  readonly port: number;
  /** How many clients started TLS. */
  connections: number;
  close(): Promise<void>;
}

/** Ends TLS before the server at `url`. */
export async function openTlsFront(url: string, identity: { cert: Buffer; key: Buffer }): Promise<TlsFront> {
  const behind = Number(new URL(url).port);
  const server = createServer(identity, (socket) => {
    const onward = connect(behind, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const front = {
    port: (server.address() as AddressInfo).port,
    connections: 0,
    async close() {
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
  server.on('connection', () => front.connections++);
  return front;
}
