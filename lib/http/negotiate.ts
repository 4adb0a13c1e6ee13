/** Content negotiation (RFC 9110, section 12.5): the best of what both sides have. */
import { BrokerlessError } from "../base/errors.ts";

interface Preference {
  readonly name: string;
  readonly quality: number;
}

function preferences(header: string): Preference[] {
  const found: Preference[] = [];
  for (const part of header.split(",")) {
    const [name, ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase());
    if (name === undefined || name === "") continue;
    const q = parameters.find((parameter) => /^q\s*=/.test(parameter));
    const quality = q === undefined ? 1 : Number(q.slice(q.indexOf("=") + 1));
    found.push({ name, quality: quality >= 0 && quality <= 1 ? quality : 0 });
  }
  return found;
}

/** How much a range that matches says about this type: exact 3, `type/*` 2, anything 1, else 0. */
function specificity(range: string, type: string): number {
  if (range === type) return 3;
  if (range === "*/*") return 1;
  return range.endsWith("/*") && type.startsWith(range.slice(0, -1)) ? 2 : 0;
}

function qualityOf(type: string, accepted: readonly Preference[]): number {
  let best = 0;
  let quality = 0;
  for (const { name, quality: q } of accepted) {
    const specific = specificity(name, type);
    if (specific > best) {
      best = specific;
      quality = q;
    }
  }
  return quality;
}

/** The media type to answer with; among equals the earlier of `available`. Throws `not_acceptable`. */
export function chooseType(accept: string | undefined, available: readonly string[]): string {
  const first = available[0] as string;
  if (accept === undefined || accept === "*/*" || accept === "" || accept === first) return first;
  const accepted = preferences(accept);
  let chosen: string | undefined;
  let best = 0;
  for (const type of available) {
    const quality = qualityOf(type, accepted);
    if (quality > best) {
      best = quality;
      chosen = type;
    }
  }
  if (chosen !== undefined) return chosen;
  throw new BrokerlessError("not_acceptable", `Accept is ${JSON.stringify(accept)}; there is ${available.join(", ")}`, {
    field: "Accept",
  });
}

/** The encoding to answer with. Ties go to zstd, which is faster. */
export function chooseEncoding(accept: string | undefined): "zstd" | "gzip" | undefined {
  if (accept === undefined) return undefined;
  let zstd = -1;
  let gzip = -1;
  let any = 0;
  for (const { name, quality } of preferences(accept)) {
    if (name === "zstd") zstd = quality;
    else if (name === "gzip" || name === "x-gzip") gzip = quality;
    else if (name === "*") any = quality;
  }
  if (zstd < 0) zstd = any;
  if (gzip < 0) gzip = any;
  if (zstd <= 0 && gzip <= 0) return undefined;
  return zstd >= gzip ? "zstd" : "gzip";
}
