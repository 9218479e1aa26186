import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { Scene, snowflakeUrl } from './scene.ts';

const HOURS = 8760;

/**
 * In front of a Snowflake, counts the statements that the driver sends. Has an event for each named object in place of COPY:
 * the stand-in opens one object after the other, and a year of them takes minutes.
 */
async function startCounter(url: string): Promise<{ url: string; server: Server; statements: string[] }> {
  const statements: string[] = [];
  const server = createServer(async (incoming, answer) => {
    let body = await text(incoming);
    if (incoming.url?.startsWith('/queries/v1/query-request')) {
      const asked = JSON.parse(body) as { sqlText: string };
      statements.push(asked.sqlText);
      const files = /^COPY INTO batch_lines.*FILES = \(([^)]*)\)/s.exec(asked.sqlText)?.[1];
      if (files !== undefined) {
        const rows = files.replaceAll(/'[^']*'/g, '($&)');
        const event = `'{"uuid":"' || f || '"}', 'amplitude/events/' || f, 1`;
        body = JSON.stringify({
          ...asked,
          sqlText: `INSERT INTO batch_lines SELECT ${event} FROM (VALUES ${rows}) AS v (f)`,
        });
      }
    }
    const headers = { ...incoming.headers, 'content-length': Buffer.byteLength(body) };
    const passed = request(new URL(incoming.url ?? '/', url), { method: incoming.method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    passed.end(body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, statements };
}

describe(`a year of hours in the Snowflake at ${process.env.SNOWFLAKE_URL ?? 'SNOWFLAKE_URL'}`, function () {
  this.timeout(300_000);

  it('is loaded with at most 300 statements, and agrees', async function () {
    const counter = await startCounter(snowflakeUrl(this));
    const scene = await Scene.open(counter.url);
    try {
      const days = Array.from({ length: HOURS / 24 }, (_, day) => {
        const date = new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 10);
        return `('${date}')`;
      });
      const hours = Array.from({ length: 24 }, (_, hour) => `('${String(hour).padStart(2, '0')}')`);
      const every = `FROM (VALUES ${days}) AS d (day) CROSS JOIN (VALUES ${hours}) AS h (hh)`;
      await scene.query(`INSERT INTO manifests SELECT day || 'T' || hh, 1, 'complete', '100011471', 1, 0, 1, MD5(day || hh),
        SYSDATE(), SYSDATE() ${every}`);
      await scene.query(`INSERT INTO manifest_objects SELECT day || 'T' || hh,
        'events/date=' || day || '/hour=' || hh || '/100011471_' || day || 'T' || hh || '_0.1.0badcafe.json', '0badcafe', 1 ${every}`);

      counter.statements.length = 0;
      await scene.snowflake.run('07_dates.sql', { dates: '2025-12-.*' });
      const { loaded, batches } = await scene.load('1999-.*');
      const rows = await scene.reconciliation('2026-01-01T00');
      const { length } = counter.statements;
      expect(loaded).to.have.length(HOURS);
      expect(batches).to.deep.equal([...Array<number>(8).fill(1000), 760]);
      expect(rows).to.deep.equal([]);
      expect(length).to.be.at.most(300);
      process.stdout.write(
        `      ${length} statements, the longest batch ${Math.max(...counter.statements.map((sql) => sql.length))} characters\n`,
      );
      const [counts] = await scene.query(
        'SELECT COUNT(*) AS events, COUNT(DISTINCT uuid) AS uuids FROM events_deduplicated',
      );
      expect(counts).to.deep.equal({ EVENTS: HOURS, UUIDS: HOURS });
    } finally {
      await scene.close();
      counter.server.close();
    }
  });
});
