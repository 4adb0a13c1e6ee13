/** Reads a whole partition in one streamed reply and counts the bytes. */
import { get } from "node:http";
import type { Measured, Order } from "./order.ts";

export function replay(order: Extract<Order, { kind: "replay" }>): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const request = get({ port: order.port, host: "127.0.0.1", path: order.path, headers: { accept: order.accept } }, (reply) => {
      if (reply.statusCode !== 200) return reject(new Error(`${order.path}: ${reply.statusCode}`));
      let received = 0;
      reply.on("data", (piece: Buffer) => {
        received += piece.byteLength;
      });
      reply.on("end", () => {
        const seconds = (performance.now() - begun) / 1000;
        const valueBytes = order.records * order.valueBytes;
        if (received < valueBytes)
          return reject(new Error(`${order.path}: ${received} bytes came; the values alone are ${valueBytes}`));
        resolve({ perSecond: order.records / seconds, megabytesPerSecond: valueBytes / seconds / 1e6 });
      });
      reply.on("error", reject);
    });
    request.on("error", reject);
  });
}
