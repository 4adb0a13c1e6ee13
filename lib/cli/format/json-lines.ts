/**
 * Records as JSON, one a line, with kcat's names: topic, partition, offset, tstype, ts, broker, headers, key, payload.
 * Nothing is lost: what is not UTF-8 is base64 and says so (`key_encoding`, `payload_encoding`; headers: an object), and
 * `produce --json` reads the same lines.
 */
import type { RecordFormat } from "./types.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const jsonLine: RecordFormat = (out, record) => {
  const key = textOrBase64(record.key);
  const payload = textOrBase64(record.value);
  out.text(
    JSON.stringify({
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
      tstype: record.timestampMs < 0 ? "unknown" : record.timestampType === "LogAppendTime" ? "logappend" : "create",
      ts: record.timestampMs,
      // A log without brokers has none; kcat's readers expect the field.
      broker: -1,
      ...(record.headers.length === 0
        ? {}
        : { headers: record.headers.flatMap(({ key: name, value }) => [name, headerValue(value)]) }),
      key: key.text,
      ...(key.base64 ? { key_encoding: "base64" } : {}),
      payload: payload.text,
      ...(payload.base64 ? { payload_encoding: "base64" } : {}),
    }),
  );
  out.byte(10);
};

function headerValue(bytes: Uint8Array | null): string | null | { readonly base64: string } {
  const { text, base64 } = textOrBase64(bytes);
  return base64 ? { base64: text as string } : text;
}

function textOrBase64(bytes: Uint8Array | null): { readonly text: string | null; readonly base64: boolean } {
  if (bytes === null) return { text: null, base64: false };
  try {
    return { text: decoder.decode(bytes), base64: false };
  } catch {
    return { text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"), base64: true };
  }
}
