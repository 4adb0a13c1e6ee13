/** Where the log is kept: a table for its order, a bucket for its bytes. */
import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { type IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { BlockPublicAccess, Bucket, BucketEncryption, type CfnBucket, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

/** What the log asks of its table: no scan, and none of what changes the table itself. */
const TABLE_ACTIONS = [
  "dynamodb:BatchGetItem",
  "dynamodb:ConditionCheckItem",
  "dynamodb:DeleteItem",
  "dynamodb:GetItem",
  "dynamodb:PutItem",
  "dynamodb:Query",
  "dynamodb:UpdateItem",
];

export class LogStorage extends Construct {
  readonly table: TableV2;
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { dev }: { readonly dev: boolean }) {
    super(scope, id);
    const removalPolicy = dev ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN;
    this.table = new TableV2(this, "Table", {
      partitionKey: { name: "pk", type: AttributeType.STRING },
      sortKey: { name: "sk", type: AttributeType.STRING },
      timeToLiveAttribute: "ttl",
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: !dev },
      deletionProtection: !dev,
      removalPolicy,
    });
    this.bucket = new Bucket(this, "Bucket", {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ id: "aborted-uploads", abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      removalPolicy,
    });
    acknowledge(this.bucket, {
      id: "AwsSolutions-S1",
      reason: "Objects are written and read by the log's own roles alone; who called is in the logs of the API.",
    });
    if (dev) {
      acknowledge(this.table, {
        id: "AwsSolutions-DDB3",
        reason: "dev: what is in the table is not to last, so there is nothing to recover.",
      });
    }
  }

  /** The bucket's logical id, by which cdk-nag names what is granted on it. */
  bucketId(): string {
    return Stack.of(this).getLogicalId(this.bucket.node.defaultChild as CfnBucket);
  }

  /**
   * Read and write for a process that runs the log: the functions, or an agent of your own. It cannot delete objects, and
   * not change table or bucket.
   */
  grantLog(grantee: IGrantable): void {
    this.table.grant(grantee, ...TABLE_ACTIONS);
    grantee.grantPrincipal.addToPrincipalPolicy(allow(["s3:GetObject", "s3:PutObject"], [this.bucket.arnForObjects("*")]));
    // Without it a missing object is answered as if it were forbidden, and a reader could not tell that it was rolled.
    grantee.grantPrincipal.addToPrincipalPolicy(allow(["s3:ListBucket"], [this.bucket.bucketArn]));
  }

  /** What the reporter of lag needs: it reads, and writes the windows that it keeps, which are no part of the log. */
  grantReporter(grantee: IGrantable): void {
    this.table.grant(grantee, "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query");
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ["dynamodb:PutItem"],
        resources: [this.table.tableArn],
        conditions: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["LAG#*"] } },
      }),
    );
    grantee.grantPrincipal.addToPrincipalPolicy(allow(["s3:GetObject"], [this.bucket.arnForObjects("*")]));
    grantee.grantPrincipal.addToPrincipalPolicy(allow(["s3:ListBucket"], [this.bucket.bucketArn]));
  }

  /** What giving up offsets needs: it reads, and writes what is of groups alone. Nothing in the bucket. */
  grantGroups(grantee: IGrantable): void {
    this.table.grant(grantee, "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query");
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        resources: [this.table.tableArn],
        conditions: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["G#*", "GROUPS", "Q#*"] } },
      }),
    );
  }

  /** What telling people of lag needs besides: what was told. */
  grantNotify(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ["dynamodb:PutItem"],
        resources: [this.table.tableArn],
        conditions: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["NOTIFY#*"] } },
      }),
    );
  }

  /** What the jobs behind the writers need besides: they delete what segments replace, and what retention gives up. */
  grantJobs(grantee: IGrantable): void {
    this.grantLog(grantee);
    this.table.grant(grantee, "dynamodb:BatchWriteItem");
    grantee.grantPrincipal.addToPrincipalPolicy(
      allow(["s3:AbortMultipartUpload", "s3:DeleteObject"], [this.bucket.arnForObjects("*")]),
    );
  }

  /** What the sweeper needs besides: it looks at every item of the table for what nothing refers to. */
  grantSweep(grantee: IGrantable): void {
    this.grantJobs(grantee);
    this.table.grant(grantee, "dynamodb:Scan");
  }
}

function allow(actions: string[], resources: string[]): PolicyStatement {
  return new PolicyStatement({ actions, resources });
}
