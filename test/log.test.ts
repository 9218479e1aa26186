import { expect } from 'chai';
import fc from 'fast-check';
import { JobError } from '../src/errors.ts';
import { createLog, kestraLine, type LogOptions, describe as told } from '../src/log.ts';
import { redaction } from '../src/redaction.ts';

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

  it('writes one line of JSON, whatever the message holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (message) => {
        const [json = ''] = lines({}, (log) => log.info(message));
        expect(json).not.to.include('\n');
        expect(JSON.parse(json).msg).to.equal(JSON.parse(JSON.stringify(message)));
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

  it('takes secrets out before a line is rendered, so that the line stays whole', () => {
    const redact = redaction(['nabcdef']);
    const [json = ''] = lines({ redact }, (log) => log.info('x\nabcdef nabcdef', { of: 'nabcdef', count: 1 }));
    expect(JSON.parse(json)).to.include({ msg: 'x\nabcdef [secret]', of: '[secret]', count: 1 });
  });

  it('tells an error in one paragraph with its next step, and a stack at debug level only', () => {
    const error = new JobError('BUCKET_MISSING', 'The bucket b does not exist.', {
      hint: 'Make it.',
      cause: new Error('why'),
    });
    const [line = '', ...rest] = lines({ format: 'pretty' }, (log) => log.failure(error));
    expect(line).to.include('The bucket b does not exist. Make it.');
    expect(rest).to.deep.equal([]);
    const debug = lines({ format: 'pretty', level: 'debug' }, (log) => log.failure(error));
    expect(debug[1]).to.match(/\n\s+at .*caused by Error: why/s);
  });

  it('names an unknown error for the defect that it is', () => {
    expect(told(new TypeError('x is undefined')))
      .to.include('TypeError: x is undefined')
      .and.include('report');
  });
});
