"""A stand-in for AWS SageMaker: moto's server, with a model and an endpoint configuration for each seeded model."""
