import { expect } from 'chai';
import fc from 'fast-check';
import { JobError } from '../../src/errors.ts';
import { printable } from '../../src/format.ts';
import { createLog, kestraLine, type LogOptions, describe as told } from '../../src/log.ts';
import { redaction } from '../../src/redaction.ts';

describe('log', () => {
  const lines = (options: Partial<LogOptions>, say: (log: ReturnType<typeof createLog>) => void) => {
    const written: string[] = [];
    const log = createLog({
      format: 'json',
      level: 'info',
      color: false,
      write: (line) => void written.push(line),
      redact: (text) => text,
      now: () => new Date('2026-11-21T12:00:00Z'),
      run: 'abcd',
      ...options,
    });
    say(log);
    return written;
  };

  it('leaves out what is below its level', () => {
    const all = (level: LogOptions['level']) =>
      lines({ level }, (log) => {
        log.debug('a');
        log.info('b');
        log.warn('c');
        log.error('d');
      }).length;
    expect([all('debug'), all('info'), all('warn'), all('error')]).to.deep.equal([4, 3, 2, 1]);
  });

  it('writes one line of JSON for any message', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        const [json = ''] = lines({}, (log) => log.info(message));
        expect(json).not.to.include('\n');
        expect(JSON.parse(json).msg).to.equal(JSON.parse(JSON.stringify(printable(message))));
        const kestra = kestraLine({ logs: [{ message }] });
        expect(kestra).to.match(/^::(\{.*})::$/);
        expect(kestra).not.to.match(/[\n\r\u0085\u2028\u2029]/);
      }),
    );
  });

  it('colours levels only when told to', () => {
    const colored = lines({ format: 'pretty', color: true }, (log) => log.warn('x'));
    const plain = lines({ format: 'pretty' }, (log) => log.warn('x'));
    expect(colored[0]).to.include('\u001b[33m');
    expect(plain[0]).to.equal('12:00:00 warn  x');
  });

  it('takes secrets out before it renders a line, so that the line stays valid', () => {
    const redact = redaction(['nabcdef']);
    const [json = ''] = lines({ redact }, (log) => log.info('x\nabcdef nabcdef', { of: 'nabcdef', count: 1 }));
    expect(JSON.parse(json)).to.include({ msg: 'x\nabcdef [secret]', of: '[secret]', count: 1 });
  });

  it('shows the code of an error, its next step on a line of its own, and its stack at debug level only', () => {
    const error = new JobError('BUCKET_MISSING', 'The bucket b does not exist.', {
      hint: 'Make it.',
      cause: new Error('why'),
    });
    const [line = '', ...rest] = lines({ format: 'pretty' }, (log) => log.failure(error));
    expect(line).to.equal('12:00:00 error BUCKET_MISSING: The bucket b does not exist.\n               → Make it.');
    expect(rest).to.deep.equal([]);
    const debug = lines({ format: 'pretty', level: 'debug' }, (log) => log.failure(error));
    expect(debug[1]).to.match(/\n\s+at .*caused by Error: why/s);
  });

  it('wraps errors at the width of the terminal, and colours code and next step', () => {
    const error = new JobError('BUCKET_MISSING', `The bucket ${'word '.repeat(30)}does not exist.`, {
      hint: 'Make it.',
    });
    const say = (columns: number | undefined) =>
      lines({ format: 'pretty', columns: () => columns }, (log) => log.failure(error))[0]?.split('\n') ?? [];
    const wrapped = say(60);
    expect(wrapped).to.have.length.above(3);
    for (const line of wrapped) expect(line.length).to.be.at.most(60);
    for (const line of wrapped.slice(1)) expect(line).to.match(/^ {15}\S/);
    expect(wrapped.at(-1)).to.equal('               → Make it.');
    expect(say(undefined)).to.have.length(2);
    const [colored = ''] = lines({ format: 'pretty', color: true }, (log) => log.failure(error));
    expect(colored).to.include('\u001b[1mBUCKET_MISSING\u001b[0m: ').and.include('\u001b[36m→ Make it.\u001b[0m');
  });

  for (const format of ['pretty', 'json', 'kestra'] as const) {
    it(`shows printable characters only, and no line that comes from a quote: ${format}`, () => {
      const quote = '\u001b[2J\u009b31m\u202e\u2028\r\n12:00:00 info  All is well.';
      const error = new JobError('DESTINATION', `S3 says "${quote}".`, { hint: quote });
      const written = lines({ format }, (log) => {
        log.warn(quote, { of: quote });
        log.failure(error);
      });
      for (const record of written) {
        const text = format === 'pretty' ? record : JSON.stringify(JSON.parse(record.replace(/^::|::$/g, '')));
        for (const sign of ['\u001b', '\u009b', '\u202e', '\u2028', '\r', '\\u001b', '\\r']) {
          expect(text).not.to.include(sign);
        }
        for (const line of record.split('\n').slice(1)) expect(line).to.match(/^ {15}/);
      }
    });
  }

  it('joins the lines of a failure in JSON, since a log viewer shows none', () => {
    const error = new JobError('CONFIG', 'Wrong:\n  - A.\n  - B.', { hint: 'Correct them.' });
    const [json = ''] = lines({}, (log) => log.failure(error));
    expect(JSON.parse(json).msg).to.equal('Wrong: A. B. Correct them.');
  });

  it('calls an unknown error a defect', () => {
    expect(told(new TypeError('x is undefined')))
      .to.include('TypeError: x is undefined')
      .and.include('report');
  });
});
