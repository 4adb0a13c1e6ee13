/** What the EventLog construct makes: of each property what matters when it is wrong, not every line of the template. */

import { Duration, Stack } from "aws-cdk-lib";
import { describe, expect, test } from "vitest";
import { type Authorization, EventLog, type LagNotifier, propsFromContext } from "../../lib/cloud/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { BUNDLES, makeApp, makeLog, type Properties, Synthesized, synthesize } from "./support/synth.ts";

const TABLE = "AWS::DynamoDB::GlobalTable";
const BUCKET = "AWS::S3::Bucket";
const FUNCTION = "AWS::Lambda::Function";

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Principal?: unknown;
  readonly Condition?: unknown;
}

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

function statements(properties: Properties): Statement[] {
  const document = properties["PolicyDocument"] as { Statement: Statement[] };
  return document.Statement;
}

const prod = synthesize();
const dev = synthesize({ dev: true });

describe("the table of an event log", () => {
  test("is on demand, keyed as the log wants it, and expires by ttl", () => {
    const { properties } = prod.one(TABLE);
    expect(properties).toMatchObject({
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      TimeToLiveSpecification: { AttributeName: "ttl", Enabled: true },
    });
  });

  test("outlives its stack, cannot be deleted and can be recovered", () => {
    const { properties, deletionPolicy } = prod.one(TABLE);
    expect(deletionPolicy).toBe("Retain");
    expect(properties["Replicas"]).toMatchObject([
      { DeletionProtectionEnabled: true, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } },
    ]);
  });

  test("goes with its stack in dev", () => {
    const { properties, deletionPolicy } = dev.one(TABLE);
    expect(deletionPolicy).toBe("Delete");
    expect(properties["Replicas"]).toMatchObject([
      { DeletionProtectionEnabled: false, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: false } },
    ]);
  });
});

describe("the bucket of an event log", () => {
  test.each([
    ["production", prod, "Retain"],
    ["dev", dev, "Delete"],
  ])("is encrypted, private and drops aborted uploads, in %s", (_, synthesized, policy) => {
    const { properties, deletionPolicy } = synthesized.one(BUCKET);
    expect(deletionPolicy).toBe(policy);
    expect(properties).toMatchObject({
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }] },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
      LifecycleConfiguration: { Rules: [{ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: "Enabled" }] },
    });
    // No rule may expire data: what is to go, the log says.
    expect(JSON.stringify(properties["LifecycleConfiguration"])).not.toContain("Expiration");
  });

  test("refuses whoever comes without TLS, and gives nobody else anything", () => {
    const policy = statements(prod.one("AWS::S3::BucketPolicy").properties);
    expect(policy.every(({ Effect }) => Effect === "Deny")).toBe(true);
    expect(policy).toContainEqual(
      expect.objectContaining({
        Action: "s3:*",
        Condition: { Bool: { "aws:SecureTransport": "false" } },
        Principal: { AWS: "*" },
      }),
    );
  });
});

describe("the functions of an event log", () => {
  test("run on Node 24 and arm64, with a log group of their own that is not kept for ever", () => {
    const functions = prod.all(FUNCTION);
    expect(functions).toHaveLength(11);
    for (const { properties } of functions) {
      expect(properties).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        Handler: "index.handler",
        MemorySize: 1024,
      });
      expect((properties["LoggingConfig"] as Properties)["LogGroup"]).toBeDefined();
    }
    const groups = prod.all("AWS::Logs::LogGroup");
    expect(groups).toHaveLength(12);
    for (const { properties } of groups) expect(properties["RetentionInDays"]).toBe(30);
  });

  test("have a role each, which no other shares", () => {
    const roles = prod.all(FUNCTION).map(({ properties }) => JSON.stringify(properties["Role"]));
    expect(new Set(roles).size).toBe(11);
    // And one for each schedule, which may start its function and nothing else.
    expect(prod.all("AWS::IAM::Role")).toHaveLength(20);
    for (const { properties } of prod.all("AWS::IAM::Role")) expect(properties["ManagedPolicyArns"]).toBeUndefined();
  });

  test("may do with table, bucket and logs what the log does, and nothing else", () => {
    const log = [
      "dynamodb:BatchGetItem",
      "dynamodb:ConditionCheckItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
      "logs:CreateLogStream",
      "logs:PutLogEvents",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:PutObject",
    ];
    const job = [...log, "dynamodb:BatchWriteItem", "s3:AbortMultipartUpload", "s3:DeleteObject"].toSorted();
    const allowed: Record<string, readonly string[]> = {
      LogApiRole: log,
      LogStreamRole: log,
      LogQueuesRole: log,
      LogTransactionsRole: log,
      LogQueuesScheduleRole: ["lambda:InvokeFunction"],
      LogTransactionsScheduleRole: ["lambda:InvokeFunction"],
      LogRollRole: job,
      LogMergeRole: job,
      LogCompactRole: job,
      LogRetainRole: job,
      LogSweepRole: [...job, "dynamodb:Scan"].toSorted(),
      LogLagRole: [
        "cloudwatch:PutMetricData",
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
      ],
      LogExpireRole: [
        "dynamodb:BatchGetItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
      ],
      LogExpireScheduleRole: ["lambda:InvokeFunction"],
      LogRollScheduleRole: ["lambda:InvokeFunction"],
      LogMergeScheduleRole: ["lambda:InvokeFunction"],
      LogCompactScheduleRole: ["lambda:InvokeFunction"],
      LogRetainScheduleRole: ["lambda:InvokeFunction"],
      LogSweepScheduleRole: ["lambda:InvokeFunction"],
      LogLagScheduleRole: ["lambda:InvokeFunction"],
    };
    const policies = prod.all("AWS::IAM::Policy");
    expect(policies).toHaveLength(20);
    for (const { id, properties } of policies) {
      const actions = statements(properties).flatMap(({ Action }) => list(Action));
      expect(actions.toSorted(), id).toEqual(allowed[id.split("DefaultPolicy")[0] as string]);
      for (const { Action, Effect, Resource } of statements(properties)) {
        expect(Effect).toBe("Allow");
        // Metrics have no ARN.
        if (Action !== "cloudwatch:PutMetricData") expect(list(Resource)).not.toContain("*");
      }
    }
  });

  test("of them the one that gives up offsets writes what is of groups alone, and keeps them as long as it is told", () => {
    const policy = prod.all("AWS::IAM::Policy").find(({ id }) => id.startsWith("LogExpireRole"));
    const found = statements(policy?.properties ?? {});
    expect(found.find(({ Action }) => list(Action).includes("dynamodb:DeleteItem"))?.Condition).toEqual({
      "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["G#*", "GROUPS", "Q#*"] },
    });
    const told = (log: Synthesized): unknown[] =>
      log
        .all(FUNCTION)
        .map(({ properties }) => (properties["Environment"] as { Variables: Properties }).Variables)
        .flatMap((variables) => variables["BROKERLESS_OFFSETS_RETENTION_MINUTES"] ?? []);
    expect(told(prod)).toEqual([]);
    expect(told(synthesize({ offsetsRetention: Duration.days(30) }))).toEqual(["43200"]);
    expect(() => synthesize({ offsetsRetention: Duration.seconds(59) })).toThrow("offsetsRetention");
  });

  test("of them the one that looks at lag writes windows and metrics of its own alone", () => {
    const policy = prod.all("AWS::IAM::Policy").find(({ id }) => id.startsWith("LogLagRole"));
    const found = statements(policy?.properties ?? {});
    expect(found.find(({ Action }) => Action === "dynamodb:PutItem")?.Condition).toEqual({
      "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["LAG#*"] },
    });
    expect(found.find(({ Action }) => Action === "cloudwatch:PutMetricData")?.Condition).toEqual({
      StringEquals: { "cloudwatch:namespace": "Brokerless/Lag" },
    });
  });

  test("of them the one that looks at lag may tell whom it is to, with that secret and to that topic alone", async () => {
    const { Topic } = await import("aws-cdk-lib/aws-sns");
    const { Secret } = await import("aws-cdk-lib/aws-secretsmanager");
    const { Duration } = await import("aws-cdk-lib");
    const stack = new Stack(makeApp(), "Test");
    const topic = new Topic(stack, "People");
    const secret = new Secret(stack, "HookSecret");
    const notifiers: LagNotifier[] = [
      { name: "people", topic, threshold: "ERR", sendInterval: Duration.hours(2) },
      { name: "hook", webhook: { url: "https://hooks.example/x", secret }, template: { text: "{{summary}}" }, groups: "^orders" },
    ];
    new EventLog(stack, "Log", { bundles: BUNDLES, notifiers });
    const made = new Synthesized(stack);
    const policy = made.all("AWS::IAM::Policy").find(({ id }) => id.startsWith("LogLagRole"));
    const found = statements(policy?.properties ?? {});
    const resourceOf = (action: string) =>
      found.filter(({ Action }) => list(Action).includes(action)).map(({ Resource }) => Resource);
    expect(resourceOf("sns:Publish")).toEqual([{ Ref: expect.stringMatching(/^People/) }]);
    expect(resourceOf("secretsmanager:GetSecretValue")).toEqual([{ Ref: expect.stringMatching(/^HookSecret/) }]);
    expect(found.filter(({ Action }) => Action === "dynamodb:PutItem").map(({ Condition }) => Condition)).toEqual(
      ["LAG#*", "NOTIFY#*"].map((key) => ({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": [key] } })),
    );
    const told = made
      .all("AWS::Lambda::Function")
      .map(
        ({ properties }) =>
          (properties["Environment"] as { Variables: Record<string, unknown> }).Variables["BROKERLESS_NOTIFIERS"],
      )
      .filter((value) => value !== undefined);
    expect(told).toHaveLength(1);
    // What the deployment says is what the function reads.
    const parts = (told[0] as { "Fn::Join": [string, (string | { Ref: string })[]] })["Fn::Join"][1];
    const text = parts
      .map((part) =>
        typeof part === "string" ? part : part.Ref.startsWith("People") ? "arn:aws:sns:eu-west-1:1:t" : "arn:secret",
      )
      .join("");
    const { openNotifiers } = await import("../../lib/lag/notify/config.ts");
    const asked: unknown[] = [];
    const opened = await openNotifiers("notifiers", text, {
      clock: systemClock,
      send: fetch,
      secret: async (place) => {
        asked.push(place);
        return "0123456789abcdef";
      },
      sns: (region) => {
        asked.push(region);
        return { endpoint: "https://sns.example", send: fetch };
      },
    });
    expect(asked).toEqual(["eu-west-1", { arn: "arn:secret" }]);
    expect(opened.map(({ name, rules }) => [name, rules.threshold, rules.sendIntervalMs])).toEqual([
      ["people", "ERR", 7_200_000],
      ["hook", "WARN", 3_600_000],
    ]);
    expect(opened.map(({ isFor }) => isFor("payments"))).toEqual([true, false]);
  });

  test("are ended before the gateway stops waiting, and the stream as late as Lambda can", () => {
    const timeouts = prod.all(FUNCTION).map(({ properties }) => properties["Timeout"]);
    expect(timeouts.toSorted()).toEqual([120, 120, 29, 300, 300, 300, 60, 60, 840, 840, 900]);
  });

  test("can be held to a number of calls at once", () => {
    const limits = synthesize({ maxConcurrency: 7 })
      .all(FUNCTION)
      .map(({ properties }) => properties["ReservedConcurrentExecutions"]);
    expect(limits.filter((limit) => limit === 7)).toHaveLength(2);
  });

  test("know the streaming URL, so that errors can name it", () => {
    const environments = prod
      .all(FUNCTION)
      .map(({ properties }) => (properties["Environment"] as { Variables: Properties }).Variables);
    expect(environments.filter((variables) => variables["BROKERLESS_STREAM_URL"] !== undefined)).toHaveLength(1);
  });
});

describe("the jobs of an event log", () => {
  test("are started by schedules: rolling, ending transactions and the look at lag every minute, merging, compaction, retention and queues every five, the sweep and the expiry of offsets every fifteen, without repeats", () => {
    const schedules = prod.all("AWS::Scheduler::Schedule");
    expect(schedules.map(({ properties }) => properties["ScheduleExpression"]).toSorted()).toEqual([
      "rate(1 minute)",
      "rate(1 minute)",
      "rate(1 minute)",
      "rate(15 minutes)",
      "rate(15 minutes)",
      "rate(5 minutes)",
      "rate(5 minutes)",
      "rate(5 minutes)",
      "rate(5 minutes)",
    ]);
    for (const { properties } of schedules)
      expect(properties["Target"]).toMatchObject({ RetryPolicy: { MaximumRetryAttempts: 0 } });
  });
});

describe("who may call an event log", () => {
  const authorizationOf = (authorization?: Authorization) => {
    const synthesized = synthesize(authorization === undefined ? {} : { authorization });
    return {
      routes: synthesized.all("AWS::ApiGatewayV2::Route").map(({ properties }) => properties["AuthorizationType"]),
      url: synthesized.one("AWS::Lambda::Url").properties["AuthType"],
      authorizers: synthesized.all("AWS::ApiGatewayV2::Authorizer"),
      everybody: synthesized.all("AWS::Lambda::Permission").filter(({ properties }) => properties["Principal"] === "*").length,
    };
  };

  /** What the functions are told to do themselves. */
  const askedBy = (authorization?: Authorization) => {
    const functions = synthesize(authorization === undefined ? {} : { authorization }).all("AWS::Lambda::Function");
    const told = functions.map(
      ({ properties }) => (properties["Environment"] as { Variables: Record<string, string> }).Variables,
    );
    return [...new Set(told.map((variables) => variables["BROKERLESS_AUTH"]))];
  };

  test("is IAM's to say by default, on every route and on the streaming URL", () => {
    expect(authorizationOf()).toMatchObject({ routes: ["AWS_IAM"], url: "AWS_IAM", everybody: 0 });
  });

  test("can be a JWT issuer's to say; the streaming URL stays with IAM", () => {
    const { routes, url, authorizers, everybody } = authorizationOf({
      type: "jwt",
      issuer: "https://issuer.example",
      audience: ["events"],
    });
    expect({ routes, url, everybody }).toEqual({ routes: ["JWT"], url: "AWS_IAM", everybody: 0 });
    expect(authorizers[0]?.properties).toMatchObject({
      AuthorizerType: "JWT",
      JwtConfiguration: { Issuer: "https://issuer.example", Audience: ["events"] },
    });
  });

  test("is everybody only where that was said twice", () => {
    expect(authorizationOf({ type: "none", insecure: true })).toMatchObject({ routes: ["NONE"], url: "NONE" });
    expect(() => synthesize({ authorization: { type: "none" } as Authorization })).toThrow(/insecure: true/);
  });

  test("can be the log's own to say: nothing in front, and every function that is called asks for tokens", () => {
    const authorization = { type: "token" } as const;
    expect(authorizationOf(authorization)).toMatchObject({ routes: ["NONE"], url: "NONE", authorizers: [] });
    expect(askedBy(authorization)).toEqual(["token"]);
    const rest = synthesize({ api: "rest", dashboard: false, authorization }).all("AWS::ApiGateway::Method");
    expect([...new Set(rest.map(({ properties }) => properties["AuthorizationType"]))]).toEqual(["NONE"]);
  });

  test("asks for no tokens of its own where the gateway has asked, or where nobody is to be asked", () => {
    const jwt = { type: "jwt", issuer: "https://issuer.example", audience: ["events"] } as const;
    for (const authorization of [undefined, jwt, { type: "none", insecure: true } as const])
      expect(askedBy(authorization)).toEqual(["none"]);
  });

  test("can be granted: API and streaming URL, and nothing of table or bucket", async () => {
    const { User } = await import("aws-cdk-lib/aws-iam");
    const { stack, log } = makeLog();
    log.grantCall(new User(stack, "Caller"));
    const policy = new Synthesized(stack).all("AWS::IAM::Policy").find(({ properties }) => properties["Users"] !== undefined);
    const actions = statements(policy?.properties ?? {}).flatMap(({ Action }) => list(Action));
    expect(actions.toSorted()).toEqual(["execute-api:Invoke", "lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]);
  });
});

describe("the gateway of an event log", () => {
  test("throttles and writes access logs", () => {
    const { properties } = synthesize({ throttle: { ratePerSecond: 50, burst: 80 } }).one("AWS::ApiGatewayV2::Stage");
    expect(properties).toMatchObject({
      StageName: "$default",
      DefaultRouteSettings: { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 80 },
    });
    expect((properties["AccessLogSettings"] as Properties)["DestinationArn"]).toBeDefined();
  });

  test("tells browsers what the app would, where there are origins", () => {
    const { properties } = synthesize({ corsOrigins: ["https://app.example"] }).one("AWS::ApiGatewayV2::Api");
    expect(properties["CorsConfiguration"]).toMatchObject({ AllowOrigins: ["https://app.example"] });
    expect(prod.one("AWS::ApiGatewayV2::Api").properties["CorsConfiguration"]).toBeUndefined();
  });

  test("lets only a browser's preflight pass without credentials", () => {
    const routes = synthesize({ corsOrigins: ["https://app.example"] }).all("AWS::ApiGatewayV2::Route");
    const open = routes.filter(({ properties }) => properties["AuthorizationType"] === "NONE");
    expect(open.map(({ properties }) => properties["RouteKey"])).toEqual(["OPTIONS /{proxy+}"]);
  });

  test("can be a REST API, with the same guard, throttle and logs, for LocalStack", () => {
    const rest = synthesize(propsFromContext((name) => (name === "target" ? "localstack" : undefined)));
    expect(rest.all("AWS::ApiGatewayV2::Api")).toEqual([]);
    expect(rest.all("AWS::CloudWatch::Dashboard")).toEqual([]);
    expect(rest.all("AWS::Scheduler::Schedule")).toEqual([]);
    const rates = rest.all("AWS::Events::Rule").map(({ properties }) => properties["ScheduleExpression"]);
    expect(rates.toSorted()).toEqual([
      "rate(1 minute)",
      "rate(1 minute)",
      "rate(1 minute)",
      "rate(15 minutes)",
      "rate(15 minutes)",
      "rate(5 minutes)",
      "rate(5 minutes)",
      "rate(5 minutes)",
      "rate(5 minutes)",
    ]);
    expect(rest.one("AWS::ApiGateway::RestApi").properties["BinaryMediaTypes"]).toEqual(["*/*"]);
    for (const { properties } of rest.all("AWS::ApiGateway::Method")) expect(properties["AuthorizationType"]).toBe("AWS_IAM");
    const { properties } = rest.one("AWS::ApiGateway::Stage");
    expect(properties["MethodSettings"]).toMatchObject([{ ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 }]);
    expect(properties["AccessLogSetting"]).toBeDefined();
  });
});

describe("what an event log tells people", () => {
  const alarms = (): Properties[] => prod.all("AWS::CloudWatch::Alarm").map(({ properties }) => properties);
  const jobs = prod.all("AWS::Scheduler::Schedule").map(({ id }) => id.replace(/^Log|Schedule[0-9A-F]{8}$/g, ""));

  test("leaves out for an emulator what none has: queries and composite alarms", () => {
    const emulated = synthesize({ endpointUrl: "http://127.0.0.1:4566" });
    expect(emulated.all("AWS::CloudWatch::CompositeAlarm")).toEqual([]);
    expect(JSON.stringify(emulated.all("AWS::CloudWatch::Alarm"))).not.toContain("SELECT");
    expect(prod.all("AWS::CloudWatch::CompositeAlarm")).toHaveLength(1);
  });

  test("is an alarm on errors and throttles of what callers start, of the API and of the table", () => {
    const metrics = alarms()
      .filter(({ TreatMissingData, Period }) => TreatMissingData === "notBreaching" && Period === 60)
      .filter(({ MetricName }) => MetricName !== undefined)
      .map(({ Namespace, MetricName }) => `${Namespace} ${MetricName}`);
    expect(metrics.toSorted()).toEqual([
      "AWS/ApiGateway 5xx",
      "AWS/DynamoDB ReadThrottleEvents",
      "AWS/DynamoDB WriteThrottleEvents",
      "AWS/Lambda Errors",
      "AWS/Lambda Errors",
      "AWS/Lambda Throttles",
      "AWS/Lambda Throttles",
    ]);
  });

  test("is an alarm for each scheduled job that fails, over at least two of its runs", () => {
    expect(jobs.length).toBeGreaterThanOrEqual(3);
    for (const job of jobs) {
      const { properties } =
        prod.all("AWS::CloudWatch::Alarm").find(({ id }) => id.startsWith(`LogMonitoring${job}Failures`)) ?? {};
      expect(properties, job).toMatchObject({ MetricName: "Errors", EvaluationPeriods: 3, DatapointsToAlarm: 2 });
      expect(properties?.["Period"], job).toBeGreaterThanOrEqual(300);
    }
  });

  test("is an alarm for each scheduled job that has not succeeded for long, also where it does not run at all", () => {
    for (const job of jobs) {
      const { properties } = prod.all("AWS::CloudWatch::Alarm").find(({ id }) => id.startsWith(`LogMonitoring${job}Age`)) ?? {};
      expect(properties, job).toMatchObject({
        // No data is told by the action below.
        TreatMissingData: "missing",
        MetricName: "Errors",
        // Every run has failed, or there was none.
        Statistic: "Minimum",
        ComparisonOperator: "GreaterThanOrEqualToThreshold",
        Threshold: 1,
        EvaluationPeriods: 3,
      });
    }
    expect(alarms()).toHaveLength(7 + 2 * jobs.length + 2);
  });

  /** Of the queries that alarms and dashboards ask: with the table's name in the place of its reference. */
  const worst = (metric: string): string =>
    `SELECT MAX(${metric}) FROM SCHEMA("Brokerless/Lag", "Table", "Group", "Topic") WHERE "Table" = '<table>' GROUP BY "Group", "Topic" ORDER BY MAX() DESC`;
  const lagAlarms = (synthesized: Synthesized): Map<string, Properties> =>
    new Map(
      synthesized
        .all("AWS::CloudWatch::Alarm")
        .filter(({ id }) => /^LogMonitoringLag(Status|Seconds|Records)/.test(id))
        .map(({ properties }) => {
          const [query] = properties["Metrics"] as { Expression: { "Fn::Join": [string, unknown[]] } }[];
          const parts = query?.Expression["Fn::Join"][1] ?? [];
          return [parts.map((part) => (typeof part === "string" ? part : "<table>")).join(""), properties];
        }),
    );

  test("is an alarm over all groups and topics by status and by seconds, and by records where that is asked for", () => {
    const made = lagAlarms(prod);
    expect([...made.keys()].toSorted()).toEqual([worst("ConsumerLagSeconds"), worst("ConsumerStatus")].toSorted());
    expect(made.get(worst("ConsumerStatus"))).toMatchObject({ Threshold: 3, EvaluationPeriods: 2 });
    expect(made.get(worst("ConsumerLagSeconds"))).toMatchObject({ Threshold: 900, TreatMissingData: "notBreaching" });
    const set = lagAlarms(synthesize({ lagAlarms: { seconds: 60, records: 5000 } }));
    expect(set.get(worst("ConsumerLagSeconds"))?.["Threshold"]).toBe(60);
    expect(set.get(worst("ConsumerLag"))?.["Threshold"]).toBe(5000);
  });

  test("is one message for all that is wrong with consumers", async () => {
    const { SnsAction } = await import("aws-cdk-lib/aws-cloudwatch-actions");
    const { Topic } = await import("aws-cdk-lib/aws-sns");
    const stack = new Stack(makeApp(), "Test");
    const alarmActions = [new SnsAction(new Topic(stack, "Alarms"))];
    new EventLog(stack, "Log", { bundles: BUNDLES, alarmActions });
    const synthesized = new Synthesized(stack);
    const { properties } = synthesized.one("AWS::CloudWatch::CompositeAlarm");
    expect(properties["AlarmActions"]).toHaveLength(1);
    expect(JSON.stringify(properties["AlarmRule"])).toMatch(/ALARM.*Status.* OR .*ALARM.*Seconds/);
    for (const alarm of lagAlarms(synthesized).values()) expect(alarm["AlarmActions"]).toBeUndefined();
  });

  test("calls nobody right after a deployment, when there is no data yet, and does when a job no longer runs", () => {
    const topic = "arn:aws:sns:us-east-1:123456789012:pager";
    const called = synthesize({ alarmActions: [{ bind: () => ({ alarmActionArn: topic }) }] })
      .all("AWS::CloudWatch::Alarm")
      // Those of lag ask a query, and call through the composite one.
      .filter(({ properties }) => properties["MetricName"] !== undefined);
    expect(called).toHaveLength(7 + 2 * jobs.length);
    const ages = called.filter(({ id }) => /Age[0-9A-F]{8}$/.test(id));
    expect(ages).toHaveLength(jobs.length);
    for (const { id, properties } of called) {
      // An alarm begins as one without data: only a change calls, and missing data is no failure.
      expect(["missing", "notBreaching"], id).toContain(properties["TreatMissingData"]);
      expect(properties["AlarmActions"], id).toEqual([topic]);
      expect(properties["InsufficientDataActions"], id).toEqual(/Age[0-9A-F]{8}$/.test(id) ? [topic] : undefined);
    }
  });

  test("is an alarm of plain metrics on a group that is named, also on an emulator, and calls whom it names alone", () => {
    const pager = "arn:aws:sns:us-east-1:123456789012:pager";
    const groups = [
      { group: "billing", topic: "orders", records: 1000, actions: [{ bind: () => ({ alarmActionArn: pager }) }] },
      { group: "a/b", topic: "orders", seconds: 60 },
    ];
    for (const made of [
      synthesize({ lagAlarms: { groups } }),
      synthesize({ lagAlarms: { groups }, endpointUrl: "http://127.0.0.1:1" }),
    ]) {
      const found = made
        .all("AWS::CloudWatch::Alarm")
        .filter(({ properties }) => properties["Namespace"] === "Brokerless/Lag")
        .map(({ properties }) => properties);
      const named = found.map(({ MetricName, Threshold, Dimensions, AlarmActions, Statistic, EvaluationPeriods }) => {
        const of = Object.fromEntries((Dimensions as { Name: string; Value: unknown }[]).map(({ Name, Value }) => [Name, Value]));
        expect(Object.keys(of).toSorted()).toEqual(["Group", "Table", "Topic"]);
        expect([Statistic, EvaluationPeriods]).toEqual(["Maximum", 2]);
        return [of["Group"], of["Topic"], MetricName, Threshold, AlarmActions];
      });
      expect(named).toEqual([
        ["billing", "orders", "ConsumerStatus", 3, [pager]],
        ["billing", "orders", "ConsumerLag", 1000, [pager]],
        ["a/b", "orders", "ConsumerStatus", 3, undefined],
        ["a/b", "orders", "ConsumerLagSeconds", 60, undefined],
      ]);
    }
  });

  test("is a dashboard that begins with the alarms that are on, then the consumers with the lines at which they call", () => {
    const { properties } = prod.one("AWS::CloudWatch::Dashboard");
    const [, parts] = (properties["DashboardBody"] as { "Fn::Join": [string, unknown[]] })["Fn::Join"];
    const body = parts.map((part) => (typeof part === "string" ? part : "x")).join("");
    const { widgets } = JSON.parse(body) as {
      widgets: {
        type: string;
        properties: { title: string; alarms?: string[]; annotations?: { horizontal: { value: number }[] } };
      }[];
    };
    expect(widgets[0]).toMatchObject({ type: "alarm", properties: { title: "Alarms" } });
    // Every alarm, and the composite one.
    expect(widgets[0]?.properties.alarms).toHaveLength(alarms().length + 1);
    const graphs = widgets
      .slice(1, 5)
      .map(({ properties: { title, annotations } }) => [
        title.replace(/ \(.*/, ""),
        annotations?.horizontal.map(({ value }) => value),
      ]);
    expect(graphs).toEqual([
      ["Consumers: status", [2, 3]],
      ["Consumers: seconds behind", [900]],
      ["Consumers: records behind", undefined],
      ["Consumers: records lost unread", undefined],
    ]);
  });

  test("is a dashboard, except in dev", () => {
    expect(JSON.stringify(prod.one("AWS::CloudWatch::Dashboard").properties)).toContain("MAX(ConsumerLagSeconds)");
    expect(prod.all("AWS::CloudWatch::Dashboard")).toHaveLength(1);
    expect(dev.all("AWS::CloudWatch::Dashboard")).toHaveLength(0);
  });

  test("is where everything is", () => {
    const outputs = Object.keys(prod.template.findOutputs("*")).map((id) => id.replace(/^Log|[0-9A-F]{8}$/g, ""));
    expect(outputs.toSorted()).toEqual(["ApiUrl", "BucketName", "Region", "StreamUrl", "TableName"]);
  });
});

describe("properties that are wrong", () => {
  test.each([
    [{ memoryMb: 100 }, "memoryMb takes a whole number from 512 to 10240; it is 100"],
    [{ maxConcurrency: 0.5 }, "maxConcurrency"],
    [{ throttle: { ratePerSecond: 0, burst: 1 } }, "throttle.ratePerSecond"],
    [{ corsOrigins: ["app.example"] }, "corsOrigins"],
    [{ lagAlarms: { groups: [{ group: "ü", topic: "t" }] } }, 'it is "ü"'],
    [{ lagAlarms: { groups: [{ group: "g", topic: "t", records: 0 }] } }, "lagAlarms.groups.records"],
    [{ lagAlarms: { seconds: 0 } }, "lagAlarms.seconds takes a whole number from 1"],
    [{ notifiers: [{ name: "a b", webhook: { url: "https://x.example" } }] }, 'it is "a b"'],
    [{ notifiers: [{ name: "a" }] }, '"a" takes a topic or a webhook'],
    [{ notifiers: [{ name: "a", webhook: { url: "http://x.example" } }] }, "takes an https:// URL"],
    [{ bundles: "/nowhere" }, "the bundle of the stream function is not in /nowhere"],
    [{ authorization: { type: "jwt", issuer: "http://x", audience: ["a"] } }, "https://"],
    [{ authorization: { type: "jwt", issuer: "https://x", audience: [] } }, "audience"],
    [{ api: "rest", authorization: { type: "jwt", issuer: "https://x", audience: ["a"] } }, "REST API"],
  ] as const)("are named: %o", (props, message) => {
    expect(() => synthesize(props)).toThrow(message);
  });

  test.each([
    [{ target: "azure" }, '-c target= takes aws, localstack; it is "azure"'],
    [{ auth: "none" }, "insecure=true"],
    [{ auth: "jwt" }, "issuer"],
    [{ auth: "tokens" }, '-c auth= takes iam, jwt, token, none; it is "tokens"'],
    [{ lagAlarm: "g:t:many" }, '-c lagAlarm= takes group:topic:records, several with commas between; it has "g:t:many"'],
    [{ dev: "yes" }, "-c dev= takes true, false"],
  ])("are named in the context too: %o", (context: Record<string, string>, message) => {
    expect(() => propsFromContext((name) => context[name])).toThrow(message);
  });
});
