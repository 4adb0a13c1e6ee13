import { expect, test } from "vitest";
import { matchAnswers, takeTogether } from "../../../lib/tunnel/batch.ts";
import { lengthPrefix } from "../../../lib/wire/framing.ts";
import { request } from "../../e2e/kafka/raw.ts";

const PRODUCE = 0;
const FETCH = 1;
const METADATA = 3;
const SASL = 36;

function response(correlationId: number): Uint8Array {
  const bytes = Buffer.alloc(6);
  bytes.writeInt32BE(correlationId);
  return bytes;
}

test("what waits goes together, as long as nothing in it is answered late on purpose", () => {
  const frames = (...keys: number[]): Uint8Array[] => keys.map((key, i) => request(key, 0, i));
  expect(takeTogether(frames(PRODUCE, METADATA, PRODUCE), [])).toBe(3);
  expect(takeTogether(frames(PRODUCE, PRODUCE, FETCH, PRODUCE), [])).toBe(2);
  expect(takeTogether(frames(FETCH, PRODUCE), [])).toBe(1);
  expect(takeTogether(frames(SASL, PRODUCE), [])).toBe(1);
  expect(takeTogether(frames(PRODUCE, SASL), [])).toBe(1);
  expect(takeTogether(frames(PRODUCE), frames(METADATA))).toBe(0);
  expect(takeTogether(frames(...Array(100).fill(METADATA)), [])).toBe(64);
});

test("a request holds no more than a megabyte, or one frame", () => {
  const large = request(PRODUCE, 0, 1, new Uint8Array(700_000));
  expect(takeTogether([large, large], [])).toBe(1);
  expect(takeTogether([request(PRODUCE, 0, 1, new Uint8Array(5_000_000)), large], [])).toBe(1);
});

test("answers are matched by their ids; records may have none", () => {
  const frames = [request(PRODUCE, 0, 1), request(PRODUCE, 0, 2), request(METADATA, 0, 3), request(PRODUCE, 0, 4)];
  const [second, third] = [response(2), response(3)];
  const withLength = (bytes: Uint8Array): readonly Uint8Array[] => [lengthPrefix(bytes.byteLength), bytes];
  expect(matchAnswers(frames, [second, third])).toEqual([undefined, withLength(second), withLength(third), undefined]);
  expect(matchAnswers(frames, [response(1), second, third, response(4)]).every((answer) => answer !== undefined)).toBe(true);
});

test("where the server stopped, the answers end", () => {
  const frames = [request(METADATA, 0, 1), request(METADATA, 0, 2), request(METADATA, 0, 3)];
  expect(matchAnswers(frames, [response(1)])).toHaveLength(1);
  expect(matchAnswers(frames, [])).toHaveLength(0);
});

test("answers to something else are refused", () => {
  const frames = [request(METADATA, 0, 1), request(METADATA, 0, 2)];
  for (const answers of [[response(2)], [response(1), response(2), response(3)], [response(1), response(9)]]) {
    expect(() => matchAnswers(frames, answers)).toThrow("something that was not asked");
  }
});
