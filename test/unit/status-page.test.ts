import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { shadeOf } from '../../src/status/page/browser/cell.ts';
import type { PageData } from '../../src/status/page/browser/data.ts';
import { hourLines } from '../../src/status/page/browser/tip.ts';
import { pageData } from '../../src/status/page/data.ts';
import { daysOf, incompleteHours, monthsOf } from '../../src/status/page/days.ts';
import { html, scriptJson } from '../../src/status/page/markup.ts';
import { statusPage } from '../../src/status/page/page.ts';
import { STATES } from '../../src/status/state.ts';
import { VERSION } from '../../src/version.ts';
import { MIXED, sampleReport } from '../support/sample-report.ts';

const HOSTILE = `s3://"><img src=x onerror=alert(1)></script><!--\u2028\u202e'&amp;\u0000`;

const pageOf = (sample = {}) => statusPage(sampleReport(sample));
const scriptsOf = (page: string) => [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script = '']) => script);
const dataOf = (page: string): PageData => {
  const [, json = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page) ?? [];
  return JSON.parse(json) as PageData;
};
/** What is read on the page: its text without scripts, style and marks. */
const textOf = (page: string) =>
  page
    .replace(/<(script|style)\b.*?<\/\1>/gs, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');

describe('the page of a status', () => {
  let page: string;
  before(async () => {
    page = await pageOf(MIXED);
  });

  it('says what it is of, when it was made and by what', () => {
    const text = textOf(page);
    for (const fact of [
      's3://acme-events/amplitude',
      '100011471',
      '2026-10-23T10 to 2026-11-22T10',
      `2026-11-22 09:00:12 UTC by amplitude-to-s3 ${VERSION}`,
      'The clock of this machine may be wrong.',
    ]) {
      expect(text).to.include(fact);
    }
    expect(page).to.match(/<h1 class="bad">16 hours are missing<\/h1>/);
  });

  it('has the totals, and each state that there is with its count and meaning', () => {
    const report = sampleReport(MIXED);
    const text = textOf(page);
    expect(text).to.include(`Events ${report.totals.events?.toLocaleString('en-US')} `);
    for (const state of STATES) {
      expect(text).to.match(new RegExp(` ${state} ${report.totals[state]} hours [a-zA-Z]`));
      expect(page).to.include(`data-swatch="${state} `);
    }
  });

  it('lists every gap, the newest first, with the command that fills it, and one that fills all', () => {
    const commands = [...page.matchAll(/<code>(.*?)<\/code>/g)]
      .map(([, code = '']) => code.replace(/<[^>]+>/g, ''))
      .filter((code) => code.startsWith('amplitude'));
    const all = 'amplitude-to-s3 export --start 2026-11-11T13 --end 2026-11-20T09';
    expect(commands).to.deep.equal([
      all,
      all,
      'amplitude-to-s3 export --start 2026-11-20T03 --end 2026-11-20T09',
      'amplitude-to-s3 export --start 2026-11-16T20 --end 2026-11-17T05',
      'amplitude-to-s3 export --start 2026-11-11T13 --end 2026-11-11T14',
    ]);
  });

  it('lists the manifests that prove nothing', () => {
    expect(textOf(page)).to.include('2026-11-09T05 MANIFEST_UNREADABLE The manifest is not JSON. Look at it.');
  });

  it('has a heat map for each month and the line, as canvases that say in words what they show', () => {
    const maps = [...page.matchAll(/<canvas data-from="(\d+)" data-to="(\d+)" role="img" aria-label="([^"]+)"/g)];
    expect(maps.map(([, from, to]) => [Number(from), Number(to)])).to.deep.equal([
      [206, 720],
      [0, 206],
    ]);
    expect(maps[0]?.[3]).to.match(
      /^Hours of November 2026: 462 complete, 6 empty, 16 missing, 3 pending, 23 unsettled/,
    );
    expect(page).to.match(/<canvas data-line="" role="img" aria-label="Events per hour/);
  });

  it('counts an hour as landed only where its manifest proves it', () => {
    expect(textOf(page)).to.match(/2026-11-09 22\/24 [\d,]+ [\d.]+ MB unreadable 04 to 05/);
  });

  it('has the days as a table', () => {
    const rows = [...page.matchAll(/<tr><th scope="row">.*/g)];
    expect(rows).to.have.length(31);
    expect(textOf(rows[2]?.[0] ?? '').trim()).to.match(/^2026-11-20 18\/24 [\d,]+ [\d.]+ MB missing 03 to 08$/);
  });

  it('asks for nothing but itself, and runs only the scripts that it came with', () => {
    const outsideScripts = page.replace(/<(script|style)\b.*?<\/\1>/gs, '');
    expect(outsideScripts).not.to.match(/\s(?:src|style|on[a-z]+)=|url\(|@import/);
    expect(outsideScripts).not.to.match(/<(?:link|img|iframe|object|embed|base|form)\b|http-equiv="refresh"/);
    expect([...outsideScripts.matchAll(/href="([^"]+)"/g)].map(([, to]) => to)).to.deep.equal(['#gaps', '#problems']);
    expect(page).not.to.include('sourceMappingURL');
    const [, policy = ''] = /Content-Security-Policy" content="([^"]+)"/.exec(page) ?? [];
    const allowed = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
    const scripts = scriptsOf(page);
    expect(scripts).to.have.length(3);
    const quoted = (text: string) => `&#39;${text}&#39;`;
    expect(policy).to.equal(
      [
        `default-src ${quoted('none')}`,
        `script-src ${scripts.map((script) => quoted(allowed(script))).join(' ')}`,
        `style-src ${quoted(allowed(style))}`,
        'img-src data:',
        `base-uri ${quoted('none')}`,
        `form-action ${quoted('none')}`,
      ].join('; '),
    );
  });

  it("keeps the libraries' licence banners, and its own script is one that can be read", () => {
    const [charts = '', matrix = '', own = ''] = scriptsOf(page);
    expect(charts).to.match(/^\/\*!\s+\* Chart\.js v4[^/]+https:\/\/www\.chartjs\.org[^/]+MIT License/);
    expect(matrix).to.match(/^\/\*!\s+\* chartjs-chart-matrix v3[^*]+\*[^*]+\*[^*]+\* Released under the MIT license/);
    expect(() => new Function(own)).not.to.throw();
    expect(own).not.to.match(/^import |^export /m);
  });

  it('shows bytes where manifests were not read', async () => {
    const text = textOf(await pageOf({ withEvents: false }));
    expect(text).to.include('Bytes per hour Manifests were not read');
    expect(text).not.to.match(/Events \d/);
    expect(dataOf(await pageOf({ withEvents: false })).metric).to.equal('bytes');
  });

  it('begins with the answer', async () => {
    const title = async (sample: object) => /<h1 class="(.*?)">(.*?)<\/h1>/.exec(await pageOf(sample))?.slice(1);
    expect(await title({})).to.deep.equal(['good', 'No gaps']);
    expect(await title({ states: () => 'pending' })).to.deep.equal(['good', 'Nothing is ready at Amplitude yet']);
    expect(await title({ states: () => 'missing' })).to.deep.equal(['bad', 'Nothing has landed in this range']);
    expect(await title({ states: { '2026-11-20T05': 'missing' } })).to.deep.equal(['bad', '1 hour is missing']);
    expect(await title({ states: { '2026-11-20T05': 'unreadable' } })).to.deep.equal(['bad', '1 hour without proof']);
  });
});

describe('the page of a status: what comes from outside', () => {
  it('is text, wherever it stands', async () => {
    const page = await pageOf({
      destination: HOSTILE,
      project: HOSTILE,
      warnings: [HOSTILE],
      message: HOSTILE,
      states: { '2026-11-20T05': 'unreadable' },
    });
    const shown =
      's3://&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;&lt;!--\\u{2028}\\u{202e}&#39;&amp;amp;\\u{0}';
    expect(page.split(`<bdi>${shown}</bdi>`)).to.have.length(5);
    expect(page).to.include(`<title>1 hour without proof: ${shown}</title>`);
    expect(page).not.to.match(/<img|<!--/);
    expect(scriptsOf(page)).to.have.length(3);
    expect(page).not.to.include('\u0000');
  });

  it('never makes a tag, and reads back from JSON as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'<>&"\'/!-a\u2028\u2029\\', '</script>', '<!--') }), (text) => {
        expect(html`<p>${text}</p>`.source.slice(3, -4)).not.to.match(/[<>"']/);
        const { source } = scriptJson({ text });
        expect(source).not.to.match(/[<>&\u2028\u2029]/);
        expect(JSON.parse(source)).to.deep.equal({ text });
      }),
    );
  });
});

describe('the page of a status: large ones', () => {
  it('holds a month in 300 kB and a year in 700 kB', async () => {
    expect(Buffer.byteLength(await pageOf(MIXED))).to.be.below(300_000);
    const year = await pageOf({ days: 365, states: (hour: number) => (hour % 701 === 3 ? 'missing' : undefined) });
    expect(Buffer.byteLength(year)).to.be.below(700_000);
    expect(dataOf(year).hours).to.have.length(8760);
    expect(year.match(/data-from=/g)).to.have.length(13);
  });

  it('stays below 2 MB where every second hour of a year is missing and the others cannot be read', async () => {
    const page = await pageOf({
      days: 365,
      message: HOSTILE.repeat(20),
      states: (hour: number) => (hour % 2 === 0 ? 'missing' : 'unreadable'),
    });
    expect(Buffer.byteLength(page)).to.be.below(2_000_000);
    expect(textOf(page)).to.match(/And 4,080 older ones.* And 4,280 more such manifests\./);
  });
});

describe('the page of a status: days and hours', () => {
  it('are cut by month and day, whatever the range', () => {
    const report = sampleReport({ days: 40 });
    expect(monthsOf(report).map(({ month }) => month)).to.deep.equal(['2026-10', '2026-11']);
    expect(daysOf(report).map(({ hours }) => hours.length)).to.deep.equal([14, ...Array(39).fill(24), 10]);
  });

  it('are named where they are not complete', () => {
    const states = { '2026-11-20T03': 'missing', '2026-11-20T04': 'missing', '2026-11-20T09': 'shrunk' } as const;
    const day = daysOf(sampleReport({ states })).find(({ date }) => date === '2026-11-20');
    expect(day && incompleteHours(day)).to.equal('missing 03 to 04; shrunk 09');
  });

  it('are shaded in five steps, which one huge hour does not spoil', () => {
    const report = sampleReport({});
    const [first, ...others] = report.hours;
    const hours = [{ ...first, events: 90_000_000 }, ...others] as typeof report.hours;
    const data = pageData({ ...report, hours });
    const shades = data.hours.filter(([state]) => state === 0).map((hour) => shadeOf(hour, data));
    expect(new Set(shades)).to.deep.equal(new Set([1, 2, 3, 4, 5]));
    expect(shades[0]).to.equal(5);
  });

  it('tell what is known of them', () => {
    const data = pageData(sampleReport(MIXED));
    const at = (hour: string) => Date.parse(`${hour}:00Z`) / 3_600_000 - data.start;
    expect(hourLines(data, at('2026-11-20T03'))).to.deep.equal({
      title: 'Fri 2026-11-20, 03:00 to 04:00 UTC',
      lines: ['state: missing'],
    });
    const { lines } = hourLines(data, at('2026-11-12T15'));
    expect(lines.map((line) => line.split(':')[0])).to.deep.equal([
      'state',
      'events',
      'objects',
      'size',
      'asked again',
      'sealed',
    ]);
    expect(lines.at(-1)).to.equal('sealed: 2026-11-13 18:10:09 UTC');
  });
});
