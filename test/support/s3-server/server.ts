import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { finished } from 'node:stream/promises';
import { type Answer, errorAnswer, S3Error } from './answer.ts';
import { announcedLength, checkAnnounced, receiveBody } from './body.ts';
import { type Call, header, operationOf, type Store, type StoredObject, type Upload } from './call.ts';
import { copyObject } from './copy.ts';
import {
  clockSkew,
  type Fault,
  type FaultName,
  faultError,
  foreignAnswer,
  noSuchBucket,
  permanentRedirect,
  takeFault,
  temporaryRedirect,
} from './faults.ts';
import { listObjects } from './listing.ts';
import { abortUpload, completeUpload, createUpload, uploadPart } from './multipart.ts';
import { deleteObject, deleteObjects, getObject, putObject } from './objects.ts';

export type { StoredObject } from './call.ts';
export type { Fault, FaultName } from './faults.ts';

export interface S3ServerOptions {
  /** The buckets that exist; any other is answered with NoSuchBucket. Default: `bucket`. */
  readonly buckets?: readonly string[];
  readonly accessKey?: string;
  /** A request that is signed for another region is redirected here, as AWS does. */
  readonly region?: string;
  /** It is redirected for now, as AWS does for buckets that are new. */
  readonly isNew?: boolean;
  /** What S3 asks of every part but the last; 5 MiB there and here. */
  readonly minPartBytes?: number;
  /** False: bodies are verified and counted, then let go. */
  readonly keepBodies?: boolean;
}

export interface S3Request {
  readonly method: string;
  /** The path without its query, decoded: `/bucket/key`. */
  readonly path: string;
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** What was answered; undefined while the request runs and where it got no answer. */
  status?: number;
}

export interface S3Server {
  readonly url: string;
  /** By `bucket/key`. */
  readonly objects: Map<string, StoredObject>;
  /** Multipart uploads that are neither completed nor aborted, by their id. */
  readonly uploads: ReadonlyMap<string, Upload>;
  readonly requests: S3Request[];
  readonly faults: Fault[];
  close(): Promise<void>;
}

const MAX_SKEW_MS = 15 * 60_000;

/** Starts an S3 server on loopback that keeps objects in memory and refuses what S3 would refuse. */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const { accessKey = 'testak', region = 'us-east-1' } = options;
  const store: Store = {
    buckets: new Set(options.buckets ?? ['bucket']),
    objects: new Map(),
    uploads: new Map(),
    region,
    minPartBytes: options.minPartBytes ?? 5 * 1024 * 1024,
    keepBodies: options.keepBodies ?? true,
  };
  const requests: S3Request[] = [];
  const faults: Fault[] = [];

  async function serve(request: IncomingMessage, response: ServerResponse, waits: boolean): Promise<void> {
    const seen = readRequest(request);
    requests.push(seen);
    const requestId = randomUUID();
    let answer: Answer | undefined;
    try {
      admit(seen, accessKey, store, options.isNew === true ? temporaryRedirect : permanentRedirect);
      answer = await perform(seen, request, response, waits);
    } catch (error) {
      // A client that went away gets no answer; anything else here is a defect of this server.
      if (request.socket.destroyed) return;
      answer = errorAnswer(error instanceof S3Error ? error : internal(error), seen.path, requestId);
    }
    if (answer === undefined || request.socket.destroyed) return;
    seen.status = answer.status;
    // A refusal that comes before the body leaves the connection in no state to be used again.
    const unread = waits && !request.readableEnded;
    send(response, answer, { 'x-amz-request-id': requestId, ...(unread ? { connection: 'close' } : {}) });
  }

  async function perform(seen: S3Request, request: IncomingMessage, response: ServerResponse, waits: boolean) {
    const fault = takeFault(wholeRequest(faults, seen.operation), seen);
    const invite = () => {
      if (waits) response.writeContinue();
    };
    if (fault === 'reset' || fault === 'stall') {
      const hasBody = (announcedLength(seen.headers) ?? 0) > 0;
      if (!hasBody && ['GetObject', 'ListObjectsV2'].includes(seen.operation)) {
        const answer = await operate(callOf(seen, request, invite), store, faults);
        await sendHalf(response, answer);
      } else {
        invite();
        await readHalf(request, announcedLength(seen.headers) ?? 0);
      }
      if (fault === 'reset') request.socket.destroy();
      return undefined;
    }
    if (fault === 'lost-answer') {
      await operate(callOf(seen, request, invite), store, faults);
      request.socket.destroy();
      return undefined;
    }
    const success = fault === undefined ? undefined : foreignAnswer(fault);
    if (success !== undefined) {
      invite();
      if (!fault?.startsWith('early-')) await finished(request.resume());
      return success;
    }
    if (fault === 'bad-digest') await callOf(seen, request, invite).receive();
    const refusal = fault === undefined ? undefined : faultError(fault);
    if (refusal !== undefined) throw refusal;
    const answer = await operate(
      callOf({ ...seen, headers: heard(seen.headers, fault) }, request, invite),
      store,
      faults,
    );
    if (answer.body === undefined || (fault !== 'short' && fault !== 'flipped')) return answer;
    const { 'content-length': _, ...headers } = answer.headers ?? {};
    const body = fault === 'short' ? answer.body.subarray(0, answer.body.length >> 1) : Buffer.from(answer.body);
    if (fault === 'flipped') body[0] = (body[0] ?? 0) ^ 1;
    return { ...answer, headers, body };
  }

  const server = createServer((request, response) => void serve(request, response, false));
  server.on('checkContinue', (request, response) => void serve(request, response, true));
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    objects: store.objects,
    uploads: store.uploads,
    requests,
    faults,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The headers without those that the fault ignores. */
function heard(headers: IncomingHttpHeaders, fault: FaultName | undefined): IncomingHttpHeaders {
  const ignored = { 'ignored-condition': /^if-(none-)?match$/, 'ignored-range': /^range$/ }[fault as string];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => ignored?.test(name) !== true));
}

function readRequest(request: IncomingMessage): S3Request {
  const { method = '', headers } = request;
  const { pathname, searchParams: query, hostname } = new URL(request.url ?? '/', 'http://s3');
  // A proxy is asked for a whole URL, and a bucket may stand in its host.
  const virtual = /^([^.]+)\.store\.test$/.exec(hostname)?.[1];
  const path = decodeURIComponent(virtual === undefined ? pathname : `/${virtual}${pathname}`);
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? [];
  return { method, path, operation: operationOf(method, key, query, headers), bucket, key, query, headers };
}

/** Throws where the request's key, clock, region or bucket is not one that this server knows. */
function admit(
  { headers, bucket }: S3Request,
  accessKey: string,
  store: Store,
  redirect: (region: string) => S3Error,
): void {
  const authorization = header(headers, 'authorization');
  if (authorization === undefined) throw new S3Error(403, 'AccessDenied', 'Access Denied');
  const scope = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=/.exec(
    authorization,
  );
  if (scope === null) throw new S3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  if (scope[1] !== accessKey) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  }
  const [, y, mo, d, h, mi, s] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(header(headers, 'x-amz-date') ?? '') ?? [];
  const skew = Math.abs(Date.now() - Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`));
  // A date that cannot be read gives NaN, which is not within the limit either.
  if (!(skew <= MAX_SKEW_MS)) throw clockSkew();
  if (bucket !== '' && !store.buckets.has(bucket)) throw noSuchBucket();
  if (scope[2] !== store.region) throw redirect(store.region);
}

/** On DeleteObjects a fault with a key is about that key alone: the request itself is answered with 200. */
function wholeRequest(faults: Fault[], operation: string): Fault[] {
  return operation === 'DeleteObjects' ? faults.filter(({ key }) => key === undefined) : faults;
}

function callOf(seen: S3Request, request: IncomingMessage, invite: () => void): Call {
  return {
    ...seen,
    async receive({ keep = true } = {}) {
      // The checksum that comes with CompleteMultipartUpload is of the object, not of the list of parts in the body.
      const headers = seen.operation === 'CompleteMultipartUpload' ? withoutChecksums(seen.headers) : seen.headers;
      checkAnnounced(headers);
      invite();
      return await receiveBody(request, headers, keep);
    },
  };
}

function withoutChecksums(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-checksum-')));
}

async function operate(call: Call, store: Store, faults: Fault[]): Promise<Answer> {
  switch (call.operation) {
    case 'HeadBucket':
      return { status: 200, headers: { 'x-amz-bucket-region': store.region } };
    case 'ListObjectsV2':
      return await listObjects(call, store);
    case 'PutObject':
      return await putObject(call, store);
    case 'CopyObject':
      return await copyObject(call, store);
    case 'GetObject':
    case 'HeadObject':
      return await getObject(call, store);
    case 'DeleteObject':
      return await deleteObject(call, store);
    case 'DeleteObjects':
      return await deleteObjects(call, store, (key) => {
        const fault = takeFault(faults, { ...call, key });
        return fault === undefined ? undefined : faultError(fault);
      });
    case 'CreateMultipartUpload':
      return await createUpload(call, store);
    case 'UploadPart':
      return await uploadPart(call, store);
    case 'CompleteMultipartUpload':
      return await completeUpload(call, store);
    case 'AbortMultipartUpload':
      return await abortUpload(call, store);
    default:
      throw new S3Error(501, 'NotImplemented', `${call.operation} is not implemented here`);
  }
}

function send(response: ServerResponse, answer: Answer, more: Record<string, string>): void {
  const length = { 'content-length': String(answer.body?.length ?? 0) };
  response.writeHead(answer.status, { ...(answer.status === 204 ? {} : length), ...answer.headers, ...more });
  response.end(response.req.method === 'HEAD' ? undefined : answer.body);
}

async function sendHalf(response: ServerResponse, { status, headers, body = Buffer.alloc(0) }: Answer): Promise<void> {
  response.writeHead(status, { 'content-length': String(body.length), ...headers });
  response.flushHeaders();
  await new Promise((resolve) => response.write(body.subarray(0, body.length >> 1), resolve));
}

async function readHalf(request: IncomingMessage, length: number): Promise<void> {
  let read = 0;
  // Iterating to a break would destroy the socket; a stall has to leave it open.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    read += chunk.length;
    if (read >= length / 2) break;
  }
  request.pause();
}

function internal(error: unknown): S3Error {
  return new S3Error(500, 'InternalError', error instanceof Error ? (error.stack ?? error.message) : String(error));
}
