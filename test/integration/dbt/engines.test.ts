import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { needs } from '../../support/needs.ts';
import { Scene, snowflakeUrl } from '../snowflake/scene.ts';
import { Dbt } from './dbt.ts';

const START = '2026-03-03';
const END = '2026-03-04';

describe('the tables of dbt elsewhere', function () {
  this.timeout(300_000);
  let work: string;

  beforeEach(async () => {
    work = await mkdtemp(join(tmpdir(), 'dbt-'));
  });
  afterEach(async () => {
    await rm(work, { recursive: true, force: true });
  });

  it('are built from a bucket, and the sealed day lies in it as Parquet', async function () {
    needs(this, 'AWS_ENDPOINT_URL_S3');
    const url = snowflakeUrl(this);
    const scene = await Scene.open(url, { eventsPerHour: 40 });
    const { events } = await scene.export(START, END).finally(() => scene.close());
    const dbt = await Dbt.open(`s3://${scene.bucket}/amplitude`, work, { recent_days: 9999 });
    expect(await dbt.build()).to.match(/ERROR=0/);
    expect(await dbt.query('SELECT count(*) AS events FROM events')).to.deep.equal([{ events }]);
    expect(await dbt.query('SELECT date, events FROM parquet_days')).to.deep.equal([{ date: START, events }]);
  });
});
