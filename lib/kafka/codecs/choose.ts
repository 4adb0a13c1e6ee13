/** Finds the codec for a batch. */
import { BrokerlessError } from "../../base/errors.ts";
import { COMPRESSION_NAMES, type Codec, type Codecs, type CompressionName } from "./types.ts";

/** Throws `unsupported_compression` where the codec is not among those given. */
export function codecOf(name: CompressionName, codecs: Codecs | undefined): Codec {
  const codec = codecs?.[name];
  if (codec !== undefined) return codec;
  const known = COMPRESSION_NAMES.filter((n) => n === "none" || codecs?.[n] !== undefined);
  throw new BrokerlessError("unsupported_compression", `compression ${name} is not at hand here; there is: ${known.join(", ")}`, {
    field: "compression",
  });
}
