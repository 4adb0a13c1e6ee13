/**
 * Whole messages: a header, then the body of an API in one version (https://kafka.apache.org/protocol#protocol_messages).
 * All are without the 4 bytes of their size that go before them on a connection. What is written comes as pieces, to be
 * sent one after the other.
 */
import { type Codec, compileShape } from "./compile.ts";
import { malformed, Reader } from "./reader.ts";
import { type Api, type Decoded, type Encodable, has, type Shape } from "./schema.ts";
import { Writer } from "./writer.ts";

/** What every request begins with, whatever follows. */
export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

const API_VERSIONS_KEY = 18;

interface Codecs {
  readonly request: (Codec<unknown, unknown> | undefined)[];
  readonly response: (Codec<unknown, unknown> | undefined)[];
}

const CODECS = new WeakMap<object, Codecs>();

/** The codec of one message in one version; made when it is first asked for. */
function codecOf(api: Api<Shape, Shape>, message: "request" | "response", version: number): Codec<unknown, unknown> {
  let codecs = CODECS.get(api);
  if (codecs === undefined) {
    codecs = { request: [], response: [] };
    CODECS.set(api, codecs);
  }
  let codec = codecs[message][version];
  if (codec === undefined) {
    codec = compileShape(api[message], version, isFlexible(api, version));
    codecs[message][version] = codec;
  }
  return codec;
}

function isFlexible(api: Api<Shape, Shape>, version: number): boolean {
  return version >= api.flexibleFrom;
}

/** Which API a request is for, and in which version: its first 8 bytes and the client's id. Throws `invalid_request`. */
export function readRequestHeader(frame: Uint8Array): RequestHeader {
  return headerOf(new Reader(frame));
}

function headerOf(reader: Reader): RequestHeader {
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const length = reader.int16();
  if (length < -1) throw malformed(`has the length ${length} for its client id`);
  return { apiKey, apiVersion, correlationId, clientId: length < 0 ? null : reader.text(length) };
}

/** The body of a request whose header says that it is for this API. Bytes in it are views of the frame. Throws `invalid_request`. */
export function readRequest<Req extends Shape, Res extends Shape>(api: Api<Req, Res>, frame: Uint8Array): Decoded<Req> {
  const reader = new Reader(frame);
  const { apiVersion } = headerOf(reader);
  if (!has(api.versions, apiVersion)) throw malformed(`is version ${apiVersion} of ${api.name}`);
  if (isFlexible(api, apiVersion)) reader.skipTags();
  return codecOf(api, "request", apiVersion).read(reader) as Decoded<Req>;
}

/** The pieces of a response. Large bytes in it are handed on, not copied. */
export function writeResponse<Req extends Shape, Res extends Shape>(
  api: Api<Req, Res>,
  version: number,
  correlationId: number,
  body: Encodable<Res>,
): Uint8Array[] {
  const writer = new Writer();
  writer.int32(correlationId);
  if (responseIsTagged(api, version)) writer.unsignedVarint(0);
  codecOf(api, "response", version).write(writer, body);
  return writer.finish();
}

/** For clients and tests: a request. */
export function writeRequest<Req extends Shape, Res extends Shape>(
  api: Api<Req, Res>,
  header: Omit<RequestHeader, "apiKey">,
  body: Encodable<Req>,
): Uint8Array[] {
  const { apiVersion, correlationId, clientId } = header;
  const writer = new Writer();
  writer.int16(api.key);
  writer.int16(apiVersion);
  writer.int32(correlationId);
  if (clientId === null) writer.int16(-1);
  else writer.string(clientId);
  if (isFlexible(api, apiVersion)) writer.unsignedVarint(0);
  codecOf(api, "request", apiVersion).write(writer, body);
  return writer.finish();
}

/** For clients and tests: a response. Throws `invalid_request`. */
export function readResponse<Req extends Shape, Res extends Shape>(
  api: Api<Req, Res>,
  version: number,
  frame: Uint8Array,
): { readonly correlationId: number; readonly body: Decoded<Res> } {
  const reader = new Reader(frame);
  const correlationId = reader.int32();
  if (responseIsTagged(api, version)) reader.skipTags();
  return { correlationId, body: codecOf(api, "response", version).read(reader) as Decoded<Res> };
}

/** A client that does not know the server's versions yet must be able to read the answer to ApiVersions (KIP-511). */
function responseIsTagged(api: Api<Shape, Shape>, version: number): boolean {
  return api.key !== API_VERSIONS_KEY && isFlexible(api, version);
}
