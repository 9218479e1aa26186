import { tmpdir } from 'node:os';
import { expect } from 'chai';
import fc from 'fast-check';
import { requestWindow } from '../../src/amplitude/request.ts';
import { readMemberName } from '../../src/archive/names.ts';
import { openArchive } from '../../src/archive/open.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { createLog } from '../../src/log.ts';
import { redaction } from '../../src/redaction.ts';
import { base64, ESCAPES, HELD } from '../support/echoes.ts';
import { asking, serve, WINDOW } from '../support/requests/asking.ts';

/** Stands for what an answer says beside the secret; no secret is made of it. */
const FILLER = '~';

const part = fc.string({
  unit: fc.constantFrom(...'abcdefghABCDEFGH0123456789+/=&<>"\'\\$%-é'),
  minLength: 10,
  maxLength: 40,
});

const echo = fc.record({
  key: part,
  secret: part,
  held: fc.constantFrom(...Object.values(HELD)),
  escaped: fc.constantFrom(...Object.values(ESCAPES)),
  status: fc.constantFrom(200, 400, 403, 404, 500, 503),
  type: fc.constantFrom('text/plain', 'text/html', 'application/json'),
  /** Where the quote is cut: 120 of what is no archive, 200 of a name, 300 of an error. */
  cut: fc.constantFrom(120, 200, 300),
  /** How far before the cut the secret begins. */
  before: fc.integer({ min: -4, max: 120 }),
  space: fc.boolean(),
  /** How much of the body comes before the connection breaks, if it does. */
  broken: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined }),
});

describe('what a server echoes of the keys', function () {
  this.timeout(60_000);

  it('never appears in an error or the log, wherever it is cut', async () => {
    let answer = { status: 200, type: '', body: Buffer.alloc(0), broken: undefined as number | undefined };
    const server = await serve((_, response) => {
      const { status, type, body, broken } = answer;
      response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length });
      if (broken === undefined || broken >= body.length) response.end(body);
      else response.write(body.subarray(0, broken), () => response.destroy());
    });
    try {
      await fc.assert(
        fc.asyncProperty(echo, async ({ key, secret, held, escaped, status, type, cut, before, space, broken }) => {
          const settings = loadSettings({
            AMPLITUDE_BASE_URL: server.url,
            AMPLITUDE_API_KEY: `k${key}k`,
            AMPLITUDE_SECRET_KEY: `s${secret}s`,
            DESTINATION: tmpdir(),
          });
          const redact = redaction(settings.secrets);
          const { apiKey, secretKey } = settings.amplitude;
          const lead = FILLER.repeat(cut - before);
          const text = `${space ? '\n'.repeat(40) : ''}${lead}${escaped(held(apiKey, secretKey))}${FILLER.repeat(20)}`;
          answer = { status, type, body: Buffer.from(text), broken };

          const said: string[] = [];
          const tell = (error: unknown) => {
            for (const format of ['json', 'kestra', 'pretty'] as const) {
              const write = (line: string) => void said.push(line);
              const look = { format, level: 'debug', color: false, run: 'run', now: () => new Date() } as const;
              createLog({ ...look, write, redact }).failure(error);
            }
            said.push((error as Error).message);
          };
          const answered = await requestWindow(WINDOW, asking(settings.amplitude, { redact })).catch(tell);
          if (answered?.kind === 'archive') await openArchive(answered.spool, undefined, redact).catch(tell);
          if (answered?.kind === 'no-data') said.push(answered.quote ?? '');
          try {
            readMemberName(text, redact);
          } catch (error) {
            tell(error);
          }

          const shown = said.join('\n').toLowerCase();
          for (const hidden of [apiKey, secretKey]) {
            for (const form of [hidden, base64(hidden), Buffer.from(hidden).toString('base64url')]) {
              for (let index = 0; index + 8 <= form.length; index++) {
                expect(shown).not.to.include(form.slice(index, index + 8).toLowerCase());
              }
            }
          }
          const pair = base64(`${apiKey}:${secretKey}`);
          for (let index = 0; index + 8 <= pair.length; index++)
            expect(shown).not.to.include(pair.slice(index, index + 8).toLowerCase());
        }),
        { numRuns: 200 },
      );
    } finally {
      await server.close();
    }
  });
});
