"""The stack: the services of docker/compose.yaml as plain processes of this machine, `recsys stack`."""
