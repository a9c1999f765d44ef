import sys

from sklearn_train.command import main

sys.exit(main())
