# costlab's jobs by Terraform or OpenTofu: the objects of deploy/kubernetes, read from those files, so that there is one
# truth of them. Variables change what differs from cluster to cluster; the rest stays as it ships.

variable "manifests" {
  description = "The folder of rbac.yaml, networkpolicy.yaml and cronjob.yaml: costlab deploy NAME --out prints them."
  type        = string
  default     = null
}

variable "namespace" {
  description = "Where everything lives. It is made, unless create_namespace is false."
  type        = string
  default     = "costlab"
}

variable "create_namespace" {
  type    = bool
  default = true
}

variable "image" {
  description = "costlab's image, built from deploy/Dockerfile; the one of cronjob.yaml without it."
  type        = string
  default     = null
}

variable "schedule" {
  description = "When the night begins, in the CronJob's time zone."
  type        = string
  default     = null
}

variable "configuration" {
  description = "costlab.yaml. Keys and tokens are not in it: they are files of the Secret costlab, which is not made here, so that no state holds them."
  type        = string
  default     = null
}

variable "storage" {
  description = "The size of the disk for lake and reports, such as 100Gi."
  type        = string
  default     = null
}

locals {
  folder = coalesce(var.manifests, "${path.module}/../kubernetes")

  # By kind, and by name as well where it is not costlab: "CronJob", "CronJob costlab-prune".
  shipped = {
    for object in flatten([
      for file in ["rbac.yaml", "networkpolicy.yaml", "cronjob.yaml"] : [
        for document in split("\n---\n", file("${local.folder}/${file}")) : jsonencode(yamldecode("${document}\n"))
      ]
    ]) : trimsuffix("${jsondecode(object).kind} ${jsondecode(object).metadata.name}", " costlab") => jsondecode(object)
  }

  jobs = { for name, object in local.shipped : name => object.spec if object.kind == "CronJob" }

  changed = {
    ServiceAccount = {}
    # The API server leaves out a list that is empty, and the provider would miss it: Ingress among the policyTypes
    # without a rule lets nobody in as well.
    NetworkPolicy = {
      spec = { for name, value in local.shipped.NetworkPolicy.spec : name => value if name != "ingress" || length(value) > 0 }
    }
    ConfigMap = {
      data = { "costlab.yaml" = coalesce(var.configuration, local.shipped.ConfigMap.data["costlab.yaml"]) }
    }
    PersistentVolumeClaim = {
      spec = merge(local.shipped.PersistentVolumeClaim.spec, {
        resources = {
          requests = { storage = coalesce(var.storage, local.shipped.PersistentVolumeClaim.spec.resources.requests.storage) }
        }
      })
    }
  }

  # The image is that of every job, the schedule that of the night.
  changed_jobs = {
    for name, job in local.jobs : name => {
      spec = merge(job, {
        schedule = name == "CronJob" ? coalesce(var.schedule, job.schedule) : job.schedule
        jobTemplate = merge(job.jobTemplate, {
          spec = merge(job.jobTemplate.spec, {
            template = merge(job.jobTemplate.spec.template, {
              spec = merge(job.jobTemplate.spec.template.spec, {
                containers = [
                  for container in job.jobTemplate.spec.template.spec.containers :
                  merge(container, { image = coalesce(var.image, container.image) })
                ]
              })
            })
          })
        })
      })
    }
  }

  objects = {
    for name, object in local.shipped : name => merge(object, lookup(local.changed, name, {}), lookup(local.changed_jobs, name, {}), {
      metadata = merge(object.metadata, { namespace = var.namespace })
    })
  }
}

terraform {
  required_version = ">= 1.5"

  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.30"
    }
  }
}

resource "kubernetes_namespace_v1" "costlab" {
  count = var.create_namespace ? 1 : 0

  metadata {
    name = var.namespace
  }
}

resource "kubernetes_manifest" "costlab" {
  for_each = local.objects

  manifest   = each.value
  depends_on = [kubernetes_namespace_v1.costlab]
}
