"""`python -m keras_deeplab` is `keras-deeplab`."""

import sys

from keras_deeplab.cli import main

sys.exit(main())
