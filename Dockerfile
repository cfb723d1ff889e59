# cliper serve, from this folder: docker build -t cliper . (docs/serving.md)
FROM python:3.11-slim
WORKDIR /cliper
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
# PyTorch's CPU build; the default wheels bring CUDA.
RUN pip install --no-cache-dir --constraint constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu \
        '.[serve,graphs,postgresql]' && useradd --create-home cliper
USER cliper
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/v1/ready')"]
ENTRYPOINT ["cliper", "serve", "--host", "0.0.0.0"]
CMD ["/run"]
