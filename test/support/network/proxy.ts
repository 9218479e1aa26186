import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface Proxy {
  /** Without user and password. */
  readonly host: string;
  /** What it was asked for: `GET http://amplitude.test/…`, `CONNECT amplitude.test:443`. */
  readonly seen: string[];
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** The loopback port behind a host; a host that is not here is answered with 503. */
  readonly routes: Readonly<Record<string, number>>;
  /** `user:password`; anything else is answered with 407. */
  readonly admits?: string;
  /** Answers to CONNECT before it works; `silence` never answers, `stall` opens a tunnel to nowhere. */
  readonly first?: (number | 'silence' | 'stall')[];
}

/** A forward proxy on loopback, for requests in absolute form and for tunnels. */
export async function startProxy({ routes, admits, first = [] }: ProxyOptions): Promise<Proxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const admitted = (authorization = '') =>
    admits === undefined || authorization === `Basic ${Buffer.from(admits).toString('base64')}`;

  const server = createServer((incoming, answer) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const { hostname, pathname, search } = new URL(incoming.url ?? '', 'http://direct.invalid');
    const port = routes[hostname];
    const authorization = incoming.headers['proxy-authorization'];
    if (!admitted(authorization) || port === undefined) {
      answer.writeHead(port === undefined ? 503 : 407, { 'Proxy-Authenticate': 'Basic realm="proxy"' });
      answer.end(`No: ${authorization}`);
      return;
    }
    const { method, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port, method, path: pathname + search, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers);
      answered.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    onward.on('continue', () => answer.writeContinue());
    incoming.pipe(onward);
  });
  server.on('checkContinue', (incoming, answer) => server.emit('request', incoming, answer));
  server.on('connect', (incoming, socket: Socket) => {
    seen.push(`CONNECT ${incoming.url}`);
    socket.on('error', () => socket.destroy());
    const scripted = first.shift();
    if (scripted === 'stall') socket.write('HTTP/1.1 200 OK\r\n\r\n');
    if (scripted === 'silence' || scripted === 'stall') return;
    const port = routes[incoming.url?.split(':')[0] ?? ''];
    const status = admitted(incoming.headers['proxy-authorization'])
      ? (scripted ?? (port === undefined ? 503 : 200))
      : 407;
    if (status !== 200 || port === undefined) {
      socket.end(`HTTP/1.1 ${status} No\r\nProxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
