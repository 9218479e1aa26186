import { expect } from 'chai';
import fc from 'fast-check';
import { redaction } from '../../src/redaction.ts';
import { base64, ESCAPES, HELD } from '../support/echoes.ts';

describe('redaction', () => {
  const key = 'Aé0+key=';
  const secret = 'pa$$/w"ord+\\ &<b>x\'==';
  const redact = redaction([key, secret, `${key}:${secret}`]);

  for (const [how, escaped] of Object.entries(ESCAPES)) {
    for (const [what, of] of Object.entries(HELD)) {
      it(`takes out ${what} ${how}`, () => {
        expect(redact(`before ${escaped(of(key, secret))} after`)).to.match(/^before (\[secret\]:?){1,2} after$/);
      });
    }
  }

  it('takes out the start of a secret at the end of a cut text, and only there', () => {
    for (const escaped of Object.values(ESCAPES)) {
      const form = escaped(secret);
      for (let length = 0; length <= form.length; length++) {
        const cut = redact(`before ${form.slice(0, length)}`, true);
        expect(cut.slice('before '.length).replace('[secret]', '').length, cut).to.be.below(30);
        if (/^[\w$/"]{6}/.test(cut.slice('before '.length))) expect.fail(cut);
      }
    }
    expect(redaction(['abcdefgh'])('see abcdef', true)).to.equal('see [secret]');
    expect(redaction(['abcdefgh'])('see abc', true)).to.equal('see abc');
    expect(redaction(['abcdefgh'])('abcdef, see', true)).to.equal('abcdef, see');
    expect(redaction(['abcdefgh'])('see abcdef')).to.equal('see abcdef');
  });

  it('takes out the start of a pair whose first half is a secret of its own', () => {
    const pair = 'kaaaaaaaaaak:saaaaaaaaaas';
    const redact = redaction(['kaaaaaaaaaak', 'saaaaaaaaaas', pair]);
    for (let length = 16; length <= base64(pair).length; length++) {
      expect(redact(`see ${base64(pair).slice(0, length)}`, true), `${length}`).to.match(/^see \[secret\]=*$/);
    }
  });

  it('takes out a secret that contains another one, and keeps values below four characters', () => {
    expect(redaction(['abcd', 'abcdefgh'])('x abcdefgh y')).to.equal('x [secret] y');
    expect(redaction(['ab', ''])('about')).to.equal('about');
  });

  it('takes out secrets of any characters', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 4, maxLength: 40 }).filter((text) => /[^\s=[\]\\]{4}/.test(text)),
        fc.constantFrom(...Object.values(ESCAPES)),
        fc.boolean(),
        (value, escaped, packed) => {
          const form = escaped(packed ? base64(value) : value);
          expect(redaction([value])(`§${form}§`)).to.equal('§[secret]§');
        },
      ),
    );
  });

  it('is quick for any answer', () => {
    const redactLong = redaction([key, secret, 'x/+='.repeat(100)]);
    const started = performance.now();
    for (const piece of ['\\', '&', '&amp;', '%25', 'pa$$/w', '"', '+', 'x/+=']) {
      redactLong(piece.repeat(2 ** 16 / piece.length), true);
    }
    for (const answer of [`%${'25'.repeat(2 ** 15)}`, `&${'amp;'.repeat(2 ** 14)}`, `${'\\'.repeat(2 ** 16)} x`]) {
      redactLong(answer, true);
    }
    expect(performance.now() - started).to.be.below(4000);
  });
});
