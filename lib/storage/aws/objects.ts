/** Objects as S3 has them: what the bucket and the large blobs share. */
import type { _Object } from "@aws-sdk/client-s3";
import { type Clock, StorageError } from "../../ports/index.ts";
import { type Calls, type Operation, operation, timeoutFor } from "./calls.ts";
import { judge } from "./errors.ts";
import type { S3 } from "./s3.ts";

/** S3's limit of one delete request. */
const DELETE_MOST_KEYS = 1000;
const READ_DEADLINE_MS = 60_000;

export interface ObjectParts {
  /** Loads the client the first time: a process that reads and writes only small blobs never needs it. */
  readonly s3: () => Promise<S3>;
  readonly bucketName: string;
  readonly region: string | undefined;
  readonly clock: Clock;
  readonly calls: Calls;
}

export interface FoundObject {
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** Of the whole object. */
  readonly sizeBytes: number;
}

/** From a byte to before another one, or so many at the end. */
export type ByteRange = { readonly from: number; readonly to?: number | undefined } | { readonly last: number };

export class Objects {
  readonly parts: ObjectParts;
  readonly #operations: Record<"put" | "putNew" | "get" | "head" | "delete" | "list", Operation>;

  constructor(parts: ObjectParts) {
    this.parts = parts;
    this.#operations = {
      // The same bytes under the same name, which is theirs alone: however often it arrives, the object is the same.
      put: this.operation("PutObject", "repeatable"),
      // Sent twice, the second would find the first one's object and call it another's.
      putNew: this.operation("PutObject", "write"),
      get: this.operation("GetObject", "read"),
      head: this.operation("HeadObject", "read"),
      // Names are not used again, so a late delete takes nothing that came after it.
      delete: this.operation("DeleteObjects", "repeatable"),
      list: this.operation("ListObjectsV2", "read"),
    };
  }

  operation(name: string, repeat: Operation["repeat"]): Operation {
    const { bucketName, region } = this.parts;
    return operation({ service: "S3", name: bucketName, region, operation: name }, repeat);
  }

  /** Throws `condition_failed` with `ifAbsent` where there is an object. */
  async put(
    key: string,
    body: Uint8Array,
    untilMs: number,
    more: { readonly ifAbsent?: boolean; readonly metadata?: Record<string, string> } = {},
  ): Promise<void> {
    const { calls, s3, bucketName } = this.parts;
    const { ifAbsent = false, metadata } = more;
    const answer = await calls.send(
      ifAbsent ? this.#operations.putNew : this.#operations.put,
      untilMs,
      async (options) => {
        const { client, PutObjectCommand } = await s3();
        const IfNoneMatch = ifAbsent ? "*" : undefined;
        const command = new PutObjectCommand({ Bucket: bucketName, Key: key, Body: body, Metadata: metadata, IfNoneMatch });
        return client.send(command, options).catch(statusIn(412));
      },
      timeoutFor(body.byteLength),
    );
    if (answer === 412) throw new StorageError("condition_failed", `object ${key} exists`);
  }

  /** Undefined when there is no object; no bytes where the range lies beyond its end. */
  async get(key: string, range?: ByteRange): Promise<FoundObject | undefined> {
    const { calls, s3, bucketName, clock } = this.parts;
    const expectedBytes = range === undefined ? 0 : "last" in range ? range.last : (range.to ?? range.from) - range.from;
    const answer = await calls.send(
      this.#operations.get,
      clock.monotonicMs() + READ_DEADLINE_MS,
      async (options) => {
        const { client, GetObjectCommand } = await s3();
        const command = new GetObjectCommand({ Bucket: bucketName, Key: key, Range: rangeText(range) });
        const reply = await client.send(command, options).catch(statusIn(404, 416));
        if (typeof reply === "number") return reply;
        // Read here, so that a reply which is cut off is asked for again.
        const bytes = (await reply.Body?.transformToByteArray()) ?? new Uint8Array(0);
        const total = Number(/\/(\d+)$/.exec(reply.ContentRange ?? "")?.[1] ?? bytes.byteLength);
        return { bytes, metadata: reply.Metadata ?? {}, sizeBytes: total };
      },
      // How long a whole object is, is not known before.
      range === undefined || ("from" in range && range.to === undefined) ? READ_DEADLINE_MS : timeoutFor(expectedBytes),
    );
    if (answer === 404) return undefined;
    return typeof answer === "number" ? { bytes: new Uint8Array(0), metadata: {}, sizeBytes: 0 } : answer;
  }

  /** Size of an object; undefined when there is none. */
  async size(key: string): Promise<number | undefined> {
    const { calls, s3, bucketName, clock } = this.parts;
    const answer = await calls.send(this.#operations.head, clock.monotonicMs() + READ_DEADLINE_MS, async (options) => {
      const { client, HeadObjectCommand } = await s3();
      return client.send(new HeadObjectCommand({ Bucket: bucketName, Key: key }), options).catch(statusIn(404));
    });
    return typeof answer === "number" ? undefined : (answer.ContentLength ?? 0);
  }

  async delete(keys: readonly string[], untilMs: number): Promise<void> {
    const { calls, s3, bucketName } = this.parts;
    for (let i = 0; i < keys.length; i += DELETE_MOST_KEYS) {
      const Objects = keys.slice(i, i + DELETE_MOST_KEYS).map((Key) => ({ Key }));
      await calls.send(this.#operations.delete, untilMs, async (options) => {
        const { client, DeleteObjectsCommand } = await s3();
        const command = new DeleteObjectsCommand({ Bucket: bucketName, Delete: { Objects, Quiet: true } });
        const { Errors: [failed] = [] } = await client.send(command, options);
        if (failed === undefined) return;
        // Each object is answered for by itself; what was deleted may be deleted again.
        throw Object.assign(new Error(failed.Message ?? "not deleted"), {
          name: failed.Code ?? "Unknown",
          $metadata: { httpStatusCode: failed.Code === "InternalError" ? 500 : failed.Code === "SlowDown" ? 503 : 400 },
        });
      });
    }
  }

  /** In byte order, a page at a time; keys after `after`. */
  async *list(prefix: string, after?: string): AsyncIterable<readonly _Object[]> {
    const { calls, s3, bucketName, clock } = this.parts;
    let token: string | undefined;
    do {
      const ContinuationToken = token;
      const StartAfter = token === undefined ? after : undefined;
      const page = await calls.run(() =>
        calls.send(this.#operations.list, clock.monotonicMs() + READ_DEADLINE_MS, async (options) => {
          const { client, ListObjectsV2Command } = await s3();
          const command = new ListObjectsV2Command({ Bucket: bucketName, Prefix: prefix, StartAfter, ContinuationToken });
          return client.send(command, options);
        }),
      );
      if (page.Contents !== undefined && page.Contents.length > 0) yield page.Contents;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** The reason why a request could not be made, as the port says it. */
  explain(thrown: unknown, name: string): StorageError {
    return judge(thrown, this.operation(name, "read"), false).error;
  }
}

/** Turns replies of a status that is an answer into it; others are thrown on. A missing bucket is no missing object. */
export function statusIn(...statuses: readonly number[]): (error: unknown) => number {
  return (error) => {
    const { name, $metadata } = error as { readonly name?: string; readonly $metadata?: { readonly httpStatusCode?: number } };
    const status = $metadata?.httpStatusCode;
    if (status !== undefined && statuses.includes(status) && name !== "NoSuchBucket") return status;
    throw error;
  };
}

function rangeText(range: ByteRange | undefined): string | undefined {
  if (range === undefined) return undefined;
  if ("last" in range) return `bytes=-${range.last}`;
  return `bytes=${range.from}-${range.to === undefined ? "" : range.to - 1}`;
}
