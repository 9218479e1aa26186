import { DeleteObjectCommand, DeleteObjectsCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Destination } from '../destination.ts';
import type { Dialect } from './dialect.ts';
import { isAbsent, refusesDeleteObjects } from './faults.ts';
import { proved } from './proof.ts';
import type { Bucket } from './reading.ts';

/** S3 deletes at most 1,000 keys in one request. */
const DELETE_AT_ONCE = 1000;

/** Single deletes under way at once. */
const SINGLES_AT_ONCE = 8;

/** Deletes from a bucket: by DeleteObjects, and one by one where the store refuses that. */
export function deletingOf(at: Bucket, dialect: Dialect): Pick<Destination, 'delete'> {
  const { bucket: Bucket, folder, signal } = at;

  const together = async (s3: S3Client, keys: readonly string[]) => {
    const Objects = keys.map((key) => ({ Key: folder + key }));
    const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects } });
    const { Errors = [] } = await proved(
      s3.send(command, { abortSignal: signal }),
      ({ Deleted = [], Errors: failed = [] }) =>
        Deleted.length + failed.length < keys.length ? 'it does not name what it deleted' : undefined,
    );
    const [failed] = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
    if (failed !== undefined) throw Object.assign(new Error(failed.Message ?? ''), { name: failed.Code ?? 'Error' });
  };

  const single = (key: string) =>
    at.request('DeleteObject', key, async (s3) => {
      const command = new DeleteObjectCommand({ Bucket, Key: folder + key });
      await s3.send(command, { abortSignal: signal }).catch((error: unknown) => {
        if (!isAbsent(error)) throw error;
      });
    });

  const singly = async (keys: readonly string[]) => {
    for (let from = 0; from < keys.length; from += SINGLES_AT_ONCE) {
      await Promise.all(keys.slice(from, from + SINGLES_AT_ONCE).map(single));
    }
  };

  return {
    async delete(keys) {
      for (let from = 0; from < keys.length; from += DELETE_AT_ONCE) {
        const some = keys.slice(from, from + DELETE_AT_ONCE);
        const refused = dialect.lacks.has('batch-deletes')
          ? true
          : await at.request('DeleteObjects', some[0] ?? '', async (s3) => {
              try {
                await together(s3, some);
                return false;
              } catch (error) {
                if (refusesDeleteObjects(error, dialect)) return true;
                throw error;
              }
            });
        if (!refused) continue;
        await singly(some);
        dialect.found('batch-deletes');
      }
    },
  };
}
