import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TlsFront {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * What a load balancer that ends TLS is to the servers behind it: it passes everything on and says that it came by
 * HTTPS. ministack believes that, so the TLS-only bucket policy can be met without certificates in a test.
 */
export async function openTlsFront(behind: string): Promise<TlsFront> {
  const { hostname, port } = new URL(behind);
  const server = createServer((incoming, answer) => {
    const { method, url: path } = incoming;
    const headers = { ...incoming.headers, 'x-forwarded-proto': 'https' };
    const onward = request({ hostname, port, method, path, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(answer);
    });
    onward.on('error', (error) => answer.destroy(error));
    incoming.pipe(onward);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
