/**
 * `npm run bench:cost [-- --json]`: what a log costs on AWS: storage operations counted, priced with the list in `prices.ts`,
 * beside what Kinesis on demand, MSK Serverless and SQS ask for the same load.
 */
import { parseArgs } from "node:util";
import { synthesize } from "../../test/infra/support/synth.ts";
import { bill, SUPPOSED } from "./bill.ts";
import { type MeasureOptions, measure } from "./measure.ts";
import { PEER_PRICES, PRICES, PRICES_AS_OF } from "./prices.ts";

const OPTIONS: MeasureOptions = { requests: 320, recordsPerBatch: 100, pollMs: 20_000 };

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const measured = await measure(OPTIONS);
const template = synthesize();
const deployed = {
  alarms: template.all("AWS::CloudWatch::Alarm").length,
  dashboards: template.all("AWS::CloudWatch::Dashboard").length,
};
const lines = bill(measured, { ...OPTIONS, deployed });

if (values.json) {
  const prices = { asOf: PRICES_AS_OF, region: "us-east-1", ...PRICES, peers: PEER_PRICES };
  console.log(JSON.stringify({ options: OPTIONS, supposed: SUPPOSED, prices, measured, deployed, lines }, null, 2));
} else {
  const dollars = (cost: number | undefined): string => (cost === undefined ? "–" : cost.toFixed(cost < 10 ? 3 : 0));
  const cells = [
    ["US$", "HTTP API", "Function URL", "Kinesis", "MSK Serverless", "SQS"],
    ...lines.map(({ name, httpApi, functionUrl, kinesis, msk, sqs }) => [
      name,
      ...[httpApi, functionUrl, kinesis, msk, sqs].map(dollars),
    ]),
  ];
  const widths = (cells[0] as string[]).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells)
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "));
  const { produceOne, produceMany, pollLong } = measured;
  const units = ({ writeUnits, readUnits, s3Puts }: typeof produceOne): string =>
    `${writeUnits.toFixed(2)} write units, ${readUnits.toFixed(2)} read units, ${s3Puts.toFixed(2)} puts`;
  console.log(`\none event: ${measured.plainTrips} trips; with its share of the seals ${units(produceOne)}`);
  console.log(
    `${OPTIONS.recordsPerBatch} events: ${units(produceMany)}; a long poll of ${OPTIONS.pollMs / 1000} s: ${pollLong.readUnits} read units`,
  );
  console.log(
    `list prices of us-east-1 known on ${PRICES_AS_OF}, no free tiers; Lambda's time supposed: ${JSON.stringify(SUPPOSED)}`,
  );
}
