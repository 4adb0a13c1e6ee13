/** The bucket over S3. */
import { concatBytes, gathered } from "../../base/bytes.ts";
import { inParallel } from "../../base/parallel.ts";
import { type Bucket, type ObjectInfo, StorageError } from "../../ports/index.ts";
import { checkObjectKey } from "../../ports/rules.ts";
import { type Operation, timeoutFor } from "./calls.ts";
import { type Part, type Piece, planConcat } from "./concat.ts";
import { type Objects, statusIn } from "./objects.ts";

const PARTS_AT_ONCE = 4;
/** Of an object that comes as a stream. */
const PART_BYTES = 8 * 2 ** 20;
const STREAMED_AT_ONCE = 3;
/** Copying a part of a gigabyte takes S3 a while. */
const COPY_TIMEOUT_MS = 120_000;
/** A concat may move terabytes on S3's side; each of its requests is bounded by itself. */
const CONCAT_DEADLINE_MS = 15 * 60_000;

interface UploadPart {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string | undefined;
  readonly PartNumber: number;
}

interface UploadedPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

export class AwsBucket implements Bucket {
  readonly #objects: Objects;
  readonly #operations: Record<"create" | "upload" | "copy" | "complete" | "abort", Operation>;

  constructor(objects: Objects) {
    this.#objects = objects;
    this.#operations = {
      // Begun twice, one is left over; the bucket's lifecycle rule takes it.
      create: objects.operation("CreateMultipartUpload", "repeatable"),
      upload: objects.operation("UploadPart", "repeatable"),
      copy: objects.operation("UploadPartCopy", "repeatable"),
      complete: objects.operation("CompleteMultipartUpload", "repeatable"),
      abort: objects.operation("AbortMultipartUpload", "repeatable"),
    };
  }

  async put(
    key: string,
    body: Uint8Array | readonly Uint8Array[],
    { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
  ): Promise<void> {
    checkObjectKey(key);
    const { calls } = this.#objects.parts;
    return calls.run(() =>
      this.#objects.put(key, body instanceof Uint8Array ? body : concatBytes(body), calls.writeDeadline(), { ifAbsent }),
    );
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    checkObjectKey(key);
    const { calls, clock } = this.#objects.parts;
    return calls.run(async () => {
      const untilMs = clock.monotonicMs() + CONCAT_DEADLINE_MS;
      const parts = gathered(pieces, PART_BYTES);
      const first = await parts.next();
      const second = first.done ? first : await parts.next();
      if (second.done) return this.#objects.put(key, concatBytes(first.done ? [] : first.value), untilMs);
      return this.#assemble(key, untilMs, async (upload) => {
        const begun: Promise<UploadedPart>[] = [];
        let sizeBytes = 0;
        const begin = (part: readonly Uint8Array[]): void => {
          const PartNumber = begun.length + 1;
          const body = concatBytes(part);
          sizeBytes += body.byteLength;
          const sent = this.#upload({ ...upload, PartNumber }, body, untilMs).then((ETag) => ({ PartNumber, ETag }));
          sent.catch(() => undefined);
          begun.push(sent);
        };
        begin(first.value as Uint8Array[]);
        begin(second.value);
        for await (const part of parts) {
          // A part fails the whole; so many are under way at once.
          await begun.at(-STREAMED_AT_ONCE);
          begin(part);
        }
        return { Parts: await Promise.all(begun), sizeBytes };
      });
    });
  }

  async get(
    key: string,
    { from = 0, to }: { readonly from?: number; readonly to?: number } = {},
  ): Promise<Uint8Array | undefined> {
    checkObjectKey(key);
    return this.#objects.parts.calls.run(async () => {
      // A range of nothing cannot be asked for.
      if (to !== undefined && to <= from) {
        return (await this.#objects.size(key)) === undefined ? undefined : new Uint8Array(0);
      }
      const range = from === 0 && to === undefined ? undefined : { from, to };
      return (await this.#objects.get(key, range))?.bytes;
    });
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    const { calls } = this.#objects.parts;
    return calls.run(() => this.#objects.delete([...new Set(keys)], calls.writeDeadline()));
  }

  async *list(prefix: string, { after }: { readonly after?: string } = {}): AsyncIterable<readonly ObjectInfo[]> {
    for await (const page of this.#objects.list(prefix, after)) {
      yield page.map(({ Key = "", Size = 0, LastModified }) => ({
        key: Key,
        sizeBytes: Size,
        modifiedAtMs: LastModified?.getTime() ?? 0,
      }));
    }
  }

  async concat(keys: readonly string[], into: string): Promise<void> {
    checkObjectKey(into);
    for (const key of keys) checkObjectKey(key);
    const { calls, clock } = this.#objects.parts;
    return calls.run(async () => {
      const untilMs = clock.monotonicMs() + CONCAT_DEADLINE_MS;
      const sizes = await inParallel(keys, PARTS_AT_ONCE, async (key) => {
        const sizeBytes = await this.#objects.size(key);
        if (sizeBytes === undefined) throw missing(key);
        return sizeBytes;
      });
      const parts = planConcat(sizes);
      const [only] = parts;
      if (parts.length > 1 || (only !== undefined && "copy" in only)) await this.#join(keys, parts, into, untilMs);
      else await this.#objects.put(into, only === undefined ? new Uint8Array(0) : await this.#read(keys, only.upload), untilMs);
    });
  }

  async #join(keys: readonly string[], parts: readonly Part[], into: string, untilMs: number): Promise<void> {
    await this.#assemble(into, untilMs, async (upload) => {
      const Parts = await inParallel(parts, PARTS_AT_ONCE, async (part, i) => {
        const number = { ...upload, PartNumber: i + 1 };
        const ETag =
          "upload" in part
            ? await this.#upload(number, await this.#read(keys, part.upload), untilMs)
            : await this.#copy(number, keys, part.copy, untilMs);
        return { PartNumber: number.PartNumber, ETag };
      });
      return { Parts, sizeBytes: parts.reduce((sum, part) => sum + bytesOf("copy" in part ? [part.copy] : part.upload), 0) };
    });
  }

  /** An object of parts that `fill` uploads: all of it or nothing. */
  async #assemble(
    into: string,
    untilMs: number,
    fill: (upload: Omit<UploadPart, "PartNumber">) => Promise<{ readonly Parts: UploadedPart[]; readonly sizeBytes: number }>,
  ): Promise<void> {
    const { calls, s3, bucketName: Bucket } = this.#objects.parts;
    const { UploadId } = await calls.send(this.#operations.create, untilMs, async (options) => {
      const { client, CreateMultipartUploadCommand } = await s3();
      return client.send(new CreateMultipartUploadCommand({ Bucket, Key: into }), options);
    });
    const upload = { Bucket, Key: into, UploadId };
    try {
      const { Parts, sizeBytes } = await fill(upload);
      await this.#complete(upload, Parts, sizeBytes, untilMs);
    } catch (error) {
      // What is left over would cost; where this fails too, the bucket's lifecycle rule takes it.
      const abort = calls.send(this.#operations.abort, untilMs, async (options) => {
        const { client, AbortMultipartUploadCommand } = await s3();
        return client.send(new AbortMultipartUploadCommand(upload), options);
      });
      await abort.catch(() => undefined);
      throw error;
    }
  }

  async #upload(part: UploadPart, Body: Uint8Array, untilMs: number): Promise<string | undefined> {
    const { calls, s3 } = this.#objects.parts;
    const answer = await calls.send(
      this.#operations.upload,
      untilMs,
      async (options) => {
        const { client, UploadPartCommand } = await s3();
        return client.send(new UploadPartCommand({ ...part, Body }), options);
      },
      timeoutFor(Body.byteLength),
    );
    return answer.ETag;
  }

  async #copy(
    part: UploadPart,
    keys: readonly string[],
    { source, from, to }: Piece,
    untilMs: number,
  ): Promise<string | undefined> {
    const { calls, s3 } = this.#objects.parts;
    const key = keys[source] as string;
    const range = { CopySource: `${part.Bucket}/${key}`, CopySourceRange: `bytes=${from}-${to - 1}` };
    const answer = await calls.send(
      this.#operations.copy,
      untilMs,
      async (options) => {
        const { client, UploadPartCopyCommand } = await s3();
        return client.send(new UploadPartCopyCommand({ ...part, ...range }), options).catch(statusIn(404));
      },
      COPY_TIMEOUT_MS,
    );
    if (typeof answer === "number") throw missing(key);
    return answer.CopyPartResult?.ETag;
  }

  async #complete(
    upload: Omit<UploadPart, "PartNumber">,
    Parts: UploadedPart[],
    sizeBytes: number,
    untilMs: number,
  ): Promise<void> {
    const { calls, s3 } = this.#objects.parts;
    const answer = await calls.send(
      this.#operations.complete,
      untilMs,
      async (options) => {
        const { client, CompleteMultipartUploadCommand } = await s3();
        const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
        return client.send(command, options).catch(statusIn(404));
      },
      COPY_TIMEOUT_MS,
    );
    if (typeof answer !== "number") return;
    // The upload is no longer there: completed by a request whose answer was lost, or taken away by somebody.
    if ((await this.#objects.size(upload.Key)) === sizeBytes) return;
    throw new StorageError("unavailable", `the upload of object ${upload.Key} was taken away before it was complete`);
  }

  async #read(keys: readonly string[], pieces: readonly Piece[]): Promise<Uint8Array> {
    const bytes = await inParallel(pieces, PARTS_AT_ONCE, async ({ source, from, to }) => {
      const key = keys[source] as string;
      const found = await this.#objects.get(key, { from, to });
      if (found?.bytes.byteLength !== to - from) throw missing(key);
      return found.bytes;
    });
    return concatBytes(bytes);
  }

  /** Loads the signer when it is first asked for: most processes never are. */
  async presign(key: string, method: "GET", ttlMs: number): Promise<string> {
    checkObjectKey(key);
    const { calls, s3, bucketName } = this.#objects.parts;
    return calls.run(async () => {
      const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
      const { client, GetObjectCommand } = await s3();
      const command = new GetObjectCommand({ Bucket: bucketName, Key: key });
      try {
        return await getSignedUrl(client, command, { expiresIn: Math.max(1, Math.floor(ttlMs / 1000)) });
      } catch (error) {
        throw this.#objects.explain(error, `${method} presigning`);
      }
    });
  }
}

function missing(key: string): StorageError {
  return new StorageError("condition_failed", `object ${key} is not there`);
}

function bytesOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { from, to }) => sum + to - from, 0);
}
