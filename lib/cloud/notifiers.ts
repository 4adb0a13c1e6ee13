/** Who the lag function tells, as it is told of it: the JSON that `lib/lag/notify/config.ts` reads, and the rights for it. */
import { Stack } from "aws-cdk-lib";
import type { LogFunction } from "./functions.ts";
import type { LagNotifier } from "./props.ts";
import type { LogStorage } from "./storage.ts";

export function addNotifiers({ lambda, role }: LogFunction, notifiers: readonly LagNotifier[], storage: LogStorage): void {
  if (notifiers.length === 0) return;
  storage.grantNotify(role);
  const told = notifiers.map(({ topic, webhook, sendInterval, ...rest }) => {
    topic?.grantPublish(role);
    webhook?.secret?.grantRead(role);
    const { secret, ...hook } = webhook ?? {};
    return {
      ...rest,
      ...(sendInterval === undefined ? {} : { sendIntervalMs: sendInterval.toMilliseconds() }),
      ...(topic === undefined ? {} : { sns: { topicArn: topic.topicArn } }),
      ...(webhook === undefined
        ? {}
        : { webhook: { ...hook, ...(secret === undefined ? {} : { secretArn: secret.secretArn }) } }),
    };
  });
  lambda.addEnvironment("BROKERLESS_NOTIFIERS", Stack.of(lambda).toJsonString(told));
}
