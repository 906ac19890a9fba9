"""How processes are started that test on Keras' JAX backend."""

# JAX compiles every operation of every shape: quickly compiled is more here than quickly computed.
ON_JAX = {"KERAS_BACKEND": "jax", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
