#!/bin/sh
# Start SeaweedFS as one S3 endpoint whose only user is `ner`, and make the buckets: MLflow's, and the workbench's.
set -eu
umask 077
cat > /tmp/s3.json <<JSON
{"identities": [{"name": "ner", "credentials": [{"accessKey": "ner", "secretKey": "$NER_OBJECTS_SECRET"}],
  "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}
JSON
(
  for bucket in mlflow ner; do
    until echo "s3.bucket.create -name $bucket" | weed shell -master=127.0.0.1:9333 > /dev/null 2>&1; do sleep 1; done
  done
) &
exec weed server -dir=/data -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3 -s3.port=8333 -s3.config=/tmp/s3.json
