"""Amazon's reviews and metadata: the releases of 2014, 2018 and 2023."""
