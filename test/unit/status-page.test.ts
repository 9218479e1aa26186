import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { readHour } from '../../src/hours.ts';
import { html } from '../../src/status/page/markup.ts';
import { statusPage } from '../../src/status/page/page.ts';
import { STATES } from '../../src/status/state.ts';
import { VERSION } from '../../src/version.ts';
import { MIXED, type Sample, sampleReport } from '../support/sample-report.ts';

const HOSTILE = `s3://"><img src=x onerror=alert(1)></script><!--\u2028\u202e'&amp;\u0000`;

const pageOf = (sample: Sample = {}) => statusPage(sampleReport(sample));
/** What is read on the page: its text without style and marks. */
const textOf = (page: string) =>
  page
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');
/** The cells of the heat maps: their classes, and their words by hour. */
function cellsOf(page: string): Map<string, { classes: string; words: string }> {
  const cells = page.matchAll(/<td class="([^"]*)" tabindex="0"><span>(\S+): ([^<]+)<\/span><\/td>/g);
  return new Map([...cells].map(([, classes = '', hour = '', words = '']) => [hour, { classes, words }]));
}
/** Part of the page, from a heading to the next one. */
const sectionOf = (page: string, heading: string) => page.split('<h2>').find((part) => part.startsWith(heading)) ?? '';

describe('the page of a status', () => {
  const page = pageOf(MIXED);
  const text = textOf(page);
  const cells = cellsOf(page);

  it('says what it is of, when it was made and by what', () => {
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
    const { totals } = sampleReport(MIXED);
    expect(text).to.include(`Events ${totals.events?.toLocaleString('en-US')} `);
    for (const state of STATES) expect(text).to.match(new RegExp(` ${state} ${totals[state]} hours [a-zA-Z]`));
    expect(page.match(/<i class="[^"]+"><\/i>/g)).to.have.length(5 + STATES.length - 1);
  });

  it('lists every gap, the newest first, with the command that fills it, and one that fills all', () => {
    const commands = [...page.matchAll(/<code class="command">(.*?)<\/code>/g)].map(([, code = '']) =>
      textOf(code).trim(),
    );
    const all = 'amplitude-to-s3 export --start 2026-11-11T13 --end 2026-11-20T09';
    expect(commands.filter((command) => !command.endsWith('--force'))).to.deep.equal([
      all,
      all,
      'amplitude-to-s3 export --start 2026-11-20T03 --end 2026-11-20T09',
      'amplitude-to-s3 export --start 2026-11-16T20 --end 2026-11-17T05',
      'amplitude-to-s3 export --start 2026-11-11T13 --end 2026-11-11T14',
      'amplitude-to-s3 export --start 2026-11-13T04 --end 2026-11-13T06',
    ]);
    const told = textOf(sectionOf(page, 'Unproved hours'));
    expect(told).to.include('2 hours are adopted without proof; this asks Amplitude for them: amplitude-to-s3 export');
    expect(pageOf()).not.to.include('Unproved hours');
  });

  it('lists the manifests that prove nothing, each with the command that lands its hour again', () => {
    expect(textOf(sectionOf(page, 'Problems'))).to.include(
      '2026-11-09T05 MANIFEST_UNREADABLE The manifest is not JSON. Look at it. This command lands the hour again: amplitude-to-s3 export --start 2026-11-09T05 --end 2026-11-09T06 --force',
    );
  });

  it('warns of hours with far fewer events than usual', () => {
    const drops = [{ hour: '2026-11-20T12', events: 7, median: 24_000 }];
    const told = textOf(statusPage({ ...sampleReport(), drops }));
    expect(told).to.include('Warnings').and.include('2026-11-20T12 (7, usually 24,000)');
    expect(textOf(statusPage({ ...sampleReport(), drops: [] }))).not.to.include('Warnings');
  });

  it('has no such command for a manifest that must not be replaced', () => {
    const report = sampleReport({ states: { '2026-11-20T05': 'unreadable' } });
    const problems = report.problems.map((problem) => ({ ...problem, code: 'MANIFEST_NEWER' }));
    expect(textOf(sectionOf(statusPage({ ...report, problems }), 'Problems'))).to.include(
      'MANIFEST_NEWER The manifest is not JSON. Look at it. ',
    );
    expect(statusPage({ ...report, problems })).not.to.include('--force');
  });

  it('has a heat map for each month: a table with a cell for each hour, below its hour and beside its day', () => {
    const tables = [...page.matchAll(/<table class="hours">(.*?)<\/table>/gs)].map(([, table = '']) => table);
    expect(tables).to.have.length(2);
    expect([...cells.keys()].sort()).to.deep.equal(sampleReport(MIXED).hours.map(({ hour }) => hour));
    expect(textOf(tables[0] ?? '')).to.match(
      /^ November 2026 : 460 complete, 6 empty, 16 missing, 3 pending, 23 unsettled, 2 unproved, 2 shrunk, 2 unreadable /,
    );
    const [first = '', ...rows] = tables.flatMap((table) => table.match(/<tr>.*?<\/tr>/gs) ?? []);
    expect(first.match(/<th scope="col">\d\d<\/th>/g)).to.have.length(24);
    for (const row of rows) expect(row.match(/<t[dh]/g)).to.have.length(25);
    const friday = rows.find((row) => row.includes('<th scope="row">Fri 20</th>')) ?? '';
    expect(textOf(friday.split('<td').at(4) ?? '')).to.include('2026-11-20T03: missing');
  });

  it('tells in words what is known of an hour', () => {
    expect(cells.get('2026-11-20T03')).to.deep.equal({ classes: 'missing', words: 'missing' });
    expect(cells.get('2026-11-22T08')?.words).to.equal('pending');
    expect(cells.get('2026-11-09T04')?.words).to.match(/^unreadable\nevents unknown, 2 objects, [\d.]+ MB\nsealed /);
    expect(cells.get('2026-11-19T13')?.words).to.match(/^complete\n[\d,]+ events, 2 objects, [\d.]+ MB$/);
    expect(cells.get('2026-11-12T15')?.words).to.match(
      /^shrunk\n[\d,]+ events, 2 objects, [\d.]+ MB\nasked again: [\d,]+ events\nsealed 2026-11-13 18:10 UTC$/,
    );
    expect([...cells.values()].some(({ words }) => words.includes('\n3 lines in quarantine'))).to.equal(true);
  });

  it('shades hours in five steps, which one huge hour does not spoil', () => {
    const report = sampleReport();
    const [first, ...others] = report.hours;
    const hours = [{ ...first, events: 90_000_000 }, ...others] as typeof report.hours;
    const shades = [...cellsOf(statusPage({ ...report, hours }))]
      .filter(([, { words }]) => words.startsWith('complete'))
      .map(([hour, { classes }]) => [hour, classes] as const);
    expect(new Set(shades.map(([, classes]) => classes))).to.deep.equal(new Set(['s1', 's2', 's3', 's4', 's5']));
    expect(new Map(shades).get(first?.hour ?? '')).to.equal('s5');
    expect(cells.get('2026-11-21T12')?.classes).to.match(/^s[1-5] unsettled$/);
  });

  it('counts an hour as landed only where its manifest proves it', () => {
    expect(text).to.match(/2026-11-09 22\/24 [\d,]+ [\d.]+ MB unreadable 04 to 05/);
  });

  it('has the days as a table, with the hours that are not complete', () => {
    const rows = sectionOf(page, 'Days').match(/<tr><th scope="row">.*/g) ?? [];
    expect(rows).to.have.length(31);
    expect(textOf(rows[2] ?? '').trim()).to.match(/^2026-11-20 18\/24 [\d,]+ [\d.]+ MB missing 03 to 08$/);
    const states = { '2026-11-20T03': 'missing', '2026-11-20T04': 'missing', '2026-11-20T09': 'shrunk' } as const;
    expect(textOf(pageOf({ states }))).to.include(' missing 03 to 04; shrunk 09 ');
  });

  it('asks for nothing but itself, and runs no script', () => {
    const outsideStyle = page.replace(/<style>.*?<\/style>/s, '');
    expect(page).not.to.match(/url\(|@import/);
    expect(outsideStyle).not.to.match(/\s(?:src|style|on[a-z]+)=/);
    expect(outsideStyle).not.to.match(/<(?:script|link|img|iframe|object|embed|base|form)\b|http-equiv="refresh"/);
    const links = [...outsideStyle.matchAll(/href="([^"]+)"/g)].map(([, to]) => to);
    expect(links).to.deep.equal(['#gaps', '#problems', '#gaps']);
    for (const link of links) expect(page).to.include(`id="${link?.slice(1)}"`);
    const [, policy] = /Content-Security-Policy" content="([^"]+)"/.exec(page) ?? [];
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policy?.replaceAll('&#39;', "'")).to.equal(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    );
  });

  it('shows bytes where manifests were not read', () => {
    const bytes = pageOf({ withEvents: false });
    expect(textOf(bytes)).to.include('Bytes per hour Manifests were not read');
    expect(textOf(bytes)).not.to.match(/Events \d/);
    expect(new Set([...cellsOf(bytes).values()].map(({ classes }) => classes))).to.include.keys('s1', 's5');
  });

  it('begins with the answer', () => {
    const title = (sample: Sample) => /<h1 class="(.*?)">(.*?)<\/h1>/.exec(pageOf(sample))?.slice(1);
    expect(title({})).to.deep.equal(['good', 'No gaps']);
    expect(title({ states: () => 'pending' })).to.deep.equal(['good', 'Nothing is ready at Amplitude yet']);
    expect(title({ states: () => 'missing' })).to.deep.equal(['bad', 'Nothing has landed in this range']);
    expect(title({ states: { '2026-11-20T05': 'missing' } })).to.deep.equal(['bad', '1 hour is missing']);
    expect(title({ states: { '2026-11-20T05': 'unreadable' } })).to.deep.equal(['bad', '1 unreadable manifest']);
  });
});

describe('the page of a status: its line', () => {
  const lineOf = (sample: Sample) => {
    const section = sectionOf(pageOf(sample), 'Events per');
    const paths = [...section.matchAll(/<path class="(stroke|dot)" d="M(.*?)h0"\/>/g)];
    return {
      title: section.split('<')[0],
      width: Number(/viewBox="-0\.5 0 (\d+) /.exec(section)?.[1]),
      strokes: paths.map(([, name = '', path = '']) => `${name} ${path.split(' ').length}`),
      bands: [...section.matchAll(/<rect x="([\d.-]+)" width="(\d+)"/g)].map(([, x, width]) => [
        Number(x),
        Number(width),
      ]),
      dates: [...section.matchAll(/%" y="\d+">([^<]+)/g)].map(([, date]) => date),
      levels: [...section.matchAll(/<text x="-8" y="[\d.]+">([^<]+)/g)].map(([, level]) => level),
    };
  };

  it('has a point for each hour, and labels at both axes', () => {
    const { title, width, strokes, bands, dates, levels } = lineOf({ days: 2 });
    expect([title, width, strokes, bands]).to.deep.equal(['Events per hour', 48, ['stroke 45'], []]);
    expect(dates).to.include.members(['Nov 21', '06:00', 'Nov 22']);
    expect(levels).to.include.members(['0', '5K']);
  });

  it('breaks where hours are missing, on another ground, and shows an hour that stands alone', () => {
    const hours = ['2026-11-22T01', '2026-11-22T03', '2026-11-22T04'];
    const states = Object.fromEntries(hours.map((hour) => [hour, 'missing' as const]));
    expect(lineOf({ days: 1, states })).to.deep.include({
      strokes: ['stroke 15', 'dot 1', 'stroke 2'],
      bands: [
        [14.5, 1],
        [16.5, 2],
      ],
    });
  });

  it('shows days above a month of hours: each that has landed whole', () => {
    expect(lineOf({ days: 31 }).title).to.equal('Events per hour');
    const { title, width, strokes, bands } = lineOf({ days: 40, states: { '2026-11-10T05': 'missing' } });
    expect([title, width, strokes]).to.deep.equal(['Events per day', 41, ['stroke 27', 'stroke 11']]);
    expect(bands).to.deep.equal([[27.5, 1]]);
  });

  it('has at most 16 dates, however long the range', () => {
    for (const days of [1, 3, 10, 31, 32, 100, 366, 3650]) {
      const { dates, width } = lineOf({ days });
      expect(dates.length, `${days} days`).to.be.within(4, 16);
      expect(width).to.equal(days > 31 ? days + 1 : days * 24);
    }
  });

  it('says so where nothing can be drawn', () => {
    expect(textOf(pageOf({ states: () => 'missing' }))).to.include('No hour has landed that can be drawn.');
  });
});

describe('the page of a status: what comes from outside', () => {
  it('is text, wherever it stands', () => {
    const report = sampleReport({
      destination: HOSTILE,
      project: HOSTILE,
      warnings: [HOSTILE],
      message: HOSTILE,
      states: { '2026-11-20T05': 'unreadable' },
    });
    const page = statusPage({
      ...report,
      problems: report.problems.map((problem) => ({ ...problem, code: HOSTILE, hint: HOSTILE })),
    });
    const shown =
      's3://&#34;&#62;&#60;img src=x onerror=alert(1)&#62;&#60;/script&#62;&#60;!--\\u{2028}\\u{202e}&#39;&#38;amp;\\u{0}';
    expect(page.split(`<bdi>${shown}</bdi>`)).to.have.length(6);
    expect(page).to.include(`<title>1 unreadable manifest: ${shown}</title>`);
    expect(page).not.to.match(/<img|<!--|<script|<\/script/);
    expect(page).not.to.include('\u0000');
  });

  it('never makes a tag', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'<>&"\'/!-a\u2028\u2029\\', '</script>', '<!--') }), (text) => {
        const source = html`<p>${text}</p>`.source.slice(3, -4);
        expect(source).not.to.match(/[<>"'\u2028\u2029]/);
        const read = source.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
        expect(
          read.replace(/\\u\{(202[89])\}/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))),
        ).to.equal(text);
      }),
    );
  });
});

describe('the page of a status: large ones', () => {
  it('holds a month in 120 kB and a year in 1 MB', () => {
    expect(Buffer.byteLength(pageOf(MIXED))).to.be.below(120_000);
    const year = pageOf({ days: 365, states: (hour) => (hour % 701 === 3 ? 'missing' : undefined) });
    expect(Buffer.byteLength(year)).to.be.below(1_000_000);
    expect(cellsOf(year)).to.have.length(8760);
    expect(year.match(/<table class="hours">/g)).to.have.length(13);
  });

  it('stays below 2 MB where every second hour of a year is missing and the others cannot be read', () => {
    const page = pageOf({
      days: 365,
      message: HOSTILE.repeat(20),
      states: (hour) => (hour % 2 === 0 ? 'missing' : 'unreadable'),
    });
    expect(Buffer.byteLength(page)).to.be.below(2_000_000);
    expect(textOf(page)).to.match(/And 4,080 older ones.* And 4,280 more such manifests\./);
  });

  it('has its days in order, the newest first, whatever the range', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 0, max: 5000 }), (days, later) => {
        const now = new Date((readHour('2026-11-22T09') + later) * 3_600_000).toISOString();
        const rows = sectionOf(pageOf({ days, now }), 'Days').match(/<th scope="row">\d{4}-\d\d-\d\d/g) ?? [];
        expect(rows).to.deep.equal([...new Set(rows)].sort().reverse());
        expect(rows.length).to.be.within(days, days + 1);
      }),
      { numRuns: 20 },
    );
  });
});
