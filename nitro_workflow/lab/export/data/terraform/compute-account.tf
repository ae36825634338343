# The compute account: three roles, the images' bucket, the parent instance, the alarm on denied
# Decrypt. First of the four.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.compute_account]
  default_tags {
    tags = { @tag@ = "@name@" }
  }
}

variable "region" {
  type    = string
  default = "@region@"
}
variable "data_account" {
  type = string@data-account-default@
}
variable "compute_account" {
  type = string@compute-account-default@
}
variable "developer_operator" {
  type        = string
  description = "ARN of who may become the application developer."
}
variable "administrator_operator" {
  type        = string
  description = "ARN of who may become the parent's administrator."
}
variable "subnet" {
  type        = string
  description = "One with a way out to KMS, S3 and SSM: NAT, or endpoints of the VPC."
}
variable "instance_type" {
  type        = string
  description = "One that supports enclaves, of the image's architecture."
  default     = "@instance-type@"
}
variable "trail_log_group" {
  type        = string
  description = "Log group that this account's trail writes to: a Decrypt denied across accounts is in the caller's trail only."
}
variable "alarm_email" {
  type        = string
  description = "Who hears of alarms; AWS asks them to confirm."
}

resource "aws_iam_role" "developer" {
  name               = "@role-developer@"
  assume_role_policy = <<-POLICY
@trust-developer@
  POLICY
}

resource "aws_iam_role_policy" "developer" {
  name   = "workflow"
  role   = aws_iam_role.developer.id
  policy = <<-POLICY
@developer@
  POLICY
}

resource "aws_iam_role" "administrator" {
  name               = "@role-administrator@"
  assume_role_policy = <<-POLICY
@trust-administrator@
  POLICY
}

resource "aws_iam_role_policy" "administrator" {
  name   = "workflow"
  role   = aws_iam_role.administrator.id
  policy = <<-POLICY
@administrator@
  POLICY
}

resource "aws_iam_role" "instance" {
  name               = "@role-instance@"
  assume_role_policy = <<-POLICY
@trust-instance@
  POLICY
}

resource "aws_iam_role_policy" "instance" {
  name   = "workflow"
  role   = aws_iam_role.instance.id
  policy = <<-POLICY
@instance@
  POLICY
}

resource "aws_iam_instance_profile" "instance" {
  name = "@instance-profile@"
  role = aws_iam_role.instance.name
}

resource "aws_s3_bucket" "images" {
  bucket = "@images-bucket@"
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "images" {
  bucket = aws_s3_bucket.images.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "images" {
  bucket = aws_s3_bucket.images.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "images" {
  bucket                  = aws_s3_bucket.images.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "images" {
  bucket = aws_s3_bucket.images.id
  policy = <<-POLICY
@images-bucket-policy@
  POLICY
}

data "aws_subnet" "parent" {
  id = var.subnet
}

data "aws_ssm_parameter" "machine_image" {
  name = "@machine-image@"
}

resource "aws_security_group" "parent" {
  name_prefix = "@name@-"
  description = "Nothing in; HTTPS out."
  vpc_id      = data.aws_subnet.parent.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "parent" {
  security_group_id = aws_security_group.parent.id
  description       = "KMS, S3, SSM, packages"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_instance" "parent" {
  ami                         = data.aws_ssm_parameter.machine_image.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet
  vpc_security_group_ids      = [aws_security_group.parent.id]
  iam_instance_profile        = aws_iam_instance_profile.instance.name
  user_data                   = file("${path.module}/../../instance/user-data.sh")
  user_data_replace_on_change = true
  tags                        = { Name = "@name@" }

  enclave_options {
    enabled = true
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  root_block_device {
    volume_type = "gp3"
    volume_size = @volume-gib@
    encrypted   = true
  }
}

resource "aws_sns_topic" "alarms" {
  name = "@name@-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_log_metric_filter" "denied_decrypts" {
  name           = "@name@-denied-decrypts"
  log_group_name = var.trail_log_group
  pattern        = <<-PATTERN
@denied-decrypt@
  PATTERN
  metric_transformation {
    namespace     = "@name@"
    name          = "DeniedDecrypts"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "denied_decrypt" {
  alarm_name          = "@name@-denied-decrypt"
  alarm_description   = "A Decrypt was denied: another image, debug mode, or somebody without an enclave."
  namespace           = "@name@"
  metric_name         = "DeniedDecrypts"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

output "instance_role_arn" {
  description = "PCR3 is the hash of it."
  value       = aws_iam_role.instance.arn
}
