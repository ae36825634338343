# The data key, whose policy lets the measured images decrypt and nobody else. Made as the data
# owner's role: KMS refuses it to anybody who could not change the policy later. Third of the four.

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
  allowed_account_ids = [var.data_account]
  assume_role {
    role_arn = "arn:aws:iam::${var.data_account}:role/@role-owner@"
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
variable "pcr3" {
  type        = string
  description = "SHA-384 of zeros and the ARN of the instance's role: another account has another."@pcr3-default@
}

resource "aws_kms_key" "data" {
  description             = "@name@: data"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = <<-POLICY
@key-policy@
  POLICY
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_kms_alias" "data" {
  name          = "@data-alias@"
  target_key_id = aws_kms_key.data.key_id
}

output "key_arn" {
  description = "The image measures it."
  value       = aws_kms_key.data.arn
}
