/** One request on its way through a route: its parameters, checked, and its body, counted. */
import { createHash } from "node:crypto";
import { allows, authorize, type Principal, type Right } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import { contentEncoding, decompressBody, decompressPieces } from "./body.ts";
import type { Call } from "./call.ts";
import type { Surface } from "./surface.ts";

export class Exchange<Query = unknown> {
  readonly call: Call;
  readonly surface: Surface;
  /** Parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly principal: Principal;
  #heldBytes = 0;
  #body: Uint8Array | undefined;

  constructor(surface: Surface, call: Call, params: Readonly<Record<string, string>>, query: Query, principal: Principal) {
    this.surface = surface;
    this.call = call;
    this.params = params;
    this.query = query;
    this.principal = principal;
  }

  /** Throws `forbidden`, naming the right that is missing. */
  require(right: Right): void {
    authorize(this.principal, right);
  }

  may(right: Right): boolean {
    return allows(this.principal, right);
  }

  param(name: string): string {
    return this.params[name] as string;
  }

  /** A partition number in the path. Throws `unknown_partition` for what cannot be one. */
  partition(name = "partition"): number {
    const text = this.param(name);
    if (!/^\d{1,10}$/.test(text)) {
      throw new BrokerlessError(
        "unknown_partition",
        `${JSON.stringify(text)} is not a partition; partitions are numbers from 0`,
        {
          field: name,
        },
      );
    }
    return Number(text);
  }

  /** The media type of the body, without parameters, in lower case; undefined when none was said. */
  contentType(): string | undefined {
    const header = this.call.header("content-type");
    if (header === undefined) return undefined;
    const semicolon = header.indexOf(";");
    const type = (semicolon < 0 ? header : header.slice(0, semicolon)).trim().toLowerCase();
    return type === "" ? undefined : type;
  }

  /** The whole body, decompressed. Its bytes count as held until the request is answered. */
  async body(): Promise<Uint8Array> {
    const { call, surface } = this;
    const limitBytes = surface.limits.bodyBytes;
    const encoding = contentEncoding(call.header("content-encoding"));
    const announced = call.contentLength;
    if (announced !== undefined && announced <= limitBytes) this.hold(announced);
    const sent = await call.body(limitBytes);
    if (announced === undefined) this.hold(sent.byteLength);
    this.#body = sent;
    if (encoding === "identity") return sent;
    const bytes = await decompressBody(sent, encoding, limitBytes);
    this.hold(bytes.byteLength);
    this.#body = bytes;
    return bytes;
  }

  /** Tells this request from any other, once its body is read: by path, type and body, and an event's attributes. */
  requestHash(): string {
    const { call } = this;
    const hash = createHash("sha256").update(`${call.method} ${call.path}\n${this.contentType() ?? ""}\n`);
    for (const name of call.headerNames().toSorted()) if (name.startsWith("ce-")) hash.update(`${name}:${call.header(name)}\n`);
    return hash.update(this.#body ?? "").digest("base64url");
  }

  /** The body piece by piece, decompressed. */
  pieces(): AsyncIterable<Uint8Array> {
    return decompressPieces(this.call.pieces(), contentEncoding(this.call.header("content-encoding")));
  }

  /** Counts bytes as held. Throws `throttled` when there is no room. */
  hold(sizeBytes: number): void {
    this.surface.budget.take(sizeBytes);
    this.#heldBytes += sizeBytes;
  }

  /** Lets go of bytes that were held, before the request ends. */
  release(sizeBytes: number): void {
    this.surface.budget.give(sizeBytes);
    this.#heldBytes -= sizeBytes;
  }

  /** Bytes that stay held when the request ends: whoever takes them over gives them back to the budget. */
  handOver(): number {
    const held = this.#heldBytes;
    this.#heldBytes = 0;
    return held;
  }

  /** Ends it. */
  finish(): void {
    if (this.#heldBytes > 0) this.surface.budget.give(this.handOver());
  }
}
