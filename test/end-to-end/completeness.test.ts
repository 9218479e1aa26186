import { mkdir } from 'node:fs/promises';
import { openDestination } from '../../src/destination/open.ts';
import { completenessContract, remove, temporary } from '../support/completeness-contract.ts';
import { hearingLog, s3Settings } from '../support/settings.ts';

const signal = new AbortController().signal;

describe('what has landed in a folder', function () {
  this.timeout(60_000);
  const folder = temporary('completeness');
  let count = 0;
  after(() => remove(folder));
  completenessContract(async () => {
    const own = `${folder}/${count++}`;
    await mkdir(own, { recursive: true });
    const options = { s3: s3Settings(''), signal, log: hearingLog() };
    return { env: { DESTINATION: own }, destination: openDestination({ kind: 'file', folder: own }, options) };
  });
});
