import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type DeleteObjectsCommandOutput,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import type { Bucket } from './bucket.ts';
import { ifAbsent, isTransient } from './errors.ts';
import { proved } from './proof.ts';

/** S3 deletes at most 1,000 keys in one request. */
const DELETED_AT_ONCE = 1000;

/** Single deletes under way at once. */
const SINGLES_AT_ONCE = 8;

/** Deletes keys, all at once where the store can do that. A key that is not there is no error. Throws a JobError. */
export async function deleteKeys(keys: readonly string[], bucket: Bucket): Promise<void> {
  for (let start = 0; start < keys.length; start += DELETED_AT_ONCE) {
    let left = keys.slice(start, start + DELETED_AT_ONCE);
    const [first = ''] = left;
    await bucket.request('DeleteObjects', first, () =>
      bucket.dialect.adapt(['batch-deletes'], async (uses) => {
        if (!uses.has('batch-deletes')) return await deleteSingly(left, bucket);
        const refusals = await deleteTogether(left, bucket);
        // Only what S3 refuses for now is asked for again.
        left = left.filter((key) => refusals.has(key));
        const errors = [...refusals.values()];
        if (errors.length > 0) throw errors.find((error) => !isTransient(error)) ?? errors[0];
      }),
    );
  }
}

/** Resolves to the errors of the keys that are still there. */
async function deleteTogether(keys: readonly string[], bucket: Bucket): Promise<Map<string, S3ServiceException>> {
  const names = new Map(keys.map((key) => [bucket.target(key).Key, key]));
  const Delete = { Objects: [...names.keys()].map((Key) => ({ Key })) };
  const isComplete = ({ Deleted = [], Errors = [] }: DeleteObjectsCommandOutput) => {
    if (Deleted.length + Errors.length < keys.length) return 'it does not list the deleted keys';
    return Errors.every(({ Key = '' }) => names.has(Key)) ? undefined : 'it names other keys';
  };
  const { Bucket } = bucket.target('');
  const { Errors = [] } = await proved(bucket.send(new DeleteObjectsCommand({ Bucket, Delete })), isComplete);
  const refusals = new Map<string, S3ServiceException>();
  for (const { Key = '', Code: name = 'Error', Message } of Errors) {
    const error = { name, message: `${name}, "${Message}"`, $fault: 'client', $metadata: {} } as const;
    if (name !== 'NoSuchKey') refusals.set(names.get(Key) ?? '', new S3ServiceException(error));
  }
  return refusals;
}

async function deleteSingly(keys: readonly string[], bucket: Bucket): Promise<void> {
  const single = (key: string) =>
    bucket.request('DeleteObject', key, () => bucket.send(new DeleteObjectCommand(bucket.target(key))).catch(ifAbsent));
  for (let start = 0; start < keys.length; start += SINGLES_AT_ONCE) {
    await Promise.all(keys.slice(start, start + SINGLES_AT_ONCE).map(single));
  }
}
