/** Alarms and pictures of queues that the EventLog construct makes. */
import { expect, test } from "vitest";
import { type Properties, type Synthesized, synthesize } from "./support/synth.ts";

const ACTION = "arn:aws:sns:us-east-1:123456789012:pager";
const actions = [{ bind: () => ({ alarmActionArn: ACTION }) }];
const ofQueues = (made: Synthesized): Properties[] =>
  made
    .all("AWS::CloudWatch::Alarm")
    .filter(({ id }) => /^LogMonitoringQueues(?!Failures|Age)/.test(id))
    .map(({ properties }) => properties);

test("no queue has an alarm unless it is asked for", () => {
  expect(ofQueues(synthesize())).toEqual([]);
});

test("the oldest message of all queues has an alarm where it is asked for: one query, which names the queue", () => {
  const [alarm, ...more] = ofQueues(synthesize({ queueAlarms: { seconds: 600 }, alarmActions: actions }));
  expect(more).toEqual([]);
  expect(alarm).toMatchObject({ Threshold: 600, EvaluationPeriods: 5, AlarmActions: [ACTION], TreatMissingData: "notBreaching" });
  expect(JSON.stringify(alarm?.["Metrics"])).toContain("SELECT MAX(QueueOldestSeconds)");
  expect(ofQueues(synthesize({ queueAlarms: { seconds: 600 }, endpointUrl: "http://127.0.0.1:1" }))).toEqual([]);
});

test("a queue that is named has alarms of its own: new dead letters, and age and depth where they are named", () => {
  const queues = [
    { group: "resizers", topic: "jobs", seconds: 60, depth: 1000, actions },
    { group: "mailers", topic: "mail", deadLetters: false },
  ];
  const [age, depth, dead, ...more] = ofQueues(synthesize({ queueAlarms: { queues }, endpointUrl: "http://127.0.0.1:1" }));
  expect(more).toEqual([]);
  expect(age).toMatchObject({ MetricName: "QueueOldestSeconds", Threshold: 60, AlarmActions: [ACTION] });
  expect(depth).toMatchObject({ MetricName: "QueueDepth", Threshold: 1000, Namespace: "Brokerless/Lag" });
  expect(dead).toMatchObject({ Threshold: 1, EvaluationPeriods: 1, AlarmActions: [ACTION] });
  const ofJobs = expect.arrayContaining([
    { Name: "Group", Value: "resizers" },
    { Name: "Topic", Value: "jobs" },
  ]);
  expect(dead?.["Metrics"]).toMatchObject([
    { Expression: "DIFF(dead)" },
    { MetricStat: { Metric: { MetricName: "QueueDeadLetters", Dimensions: ofJobs } } },
  ]);
});

test("the dashboard shows queues after the consumers", () => {
  const body = JSON.stringify(synthesize().one("AWS::CloudWatch::Dashboard").properties);
  const places = ["ConsumerLostRecords", "MAX(QueueOldestSeconds)", "MAX(QueueDepth)", "MAX(QueueDeadLetters)", "Requests"].map(
    (text) => body.indexOf(text),
  );
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places).not.toContain(-1);
});

test.each([
  [{ queueAlarms: { seconds: 0 } }, "queueAlarms.seconds takes a whole number from 1"],
  [{ queueAlarms: { queues: [{ group: "g", topic: "t", depth: 0.5 }] } }, "queueAlarms.queues.depth"],
  [{ queueAlarms: { queues: [{ group: ":g", topic: "t" }] } }, 'it is ":g"'],
])("what is wrong is named: %o", (props, message) => {
  expect(() => synthesize(props)).toThrow(message);
});
