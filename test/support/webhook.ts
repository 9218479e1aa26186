import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Notification } from '../../src/cli/notify.ts';

export interface Webhook {
  /** As a person would set it. */
  readonly url: string;
  readonly port: number;
  readonly posts: {
    readonly method: string;
    readonly path: string;
    readonly type: string;
    readonly body: Notification;
  }[];
  /** The next answers: a status, or none at all. Then 200. */
  readonly answers: (number | 'silence' | 'reset')[];
  close(): void;
}

export const TOKEN = 'abcdefghijklmnopqrstuvwx';

/** What Slack and its kind are, on loopback. A refusal quotes the path, as some do. */
export async function startWebhook(): Promise<Webhook> {
  const posts: Webhook['posts'] = [];
  const answers: Webhook['answers'] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method = '', url: path = '', headers } = request;
    posts.push({ method, path, type: headers['content-type'] ?? '', body: JSON.parse(text) });
    const answer = answers.shift() ?? 200;
    if (answer === 'silence') return;
    if (answer === 'reset') request.socket.resetAndDestroy();
    else
      response.writeHead(answer, { location: `${path}/elsewhere` }).end(answer === 200 ? 'ok' : `no_service ${path}`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/services/T0/B0/${TOKEN}`,
    port,
    posts,
    answers,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
