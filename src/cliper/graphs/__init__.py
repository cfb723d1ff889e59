"""Sparse graphs as pure functions: user-item adjacencies, item kNN graphs, edge sampling."""

from cliper.graphs.approximate import NeighbourSearch, neighbour_search
from cliper.graphs.bipartite import normalized_adjacency, sample_edges
from cliper.graphs.cooccurrence import cooccurrence_graph
from cliper.graphs.edges import EdgeGraph, bipartite_edges
from cliper.graphs.knn import knn_graph, mixed_knn_graph, nearest_neighbours
from cliper.graphs.propagation import layer_mean
from cliper.graphs.sparse import SparseGraph

__all__ = [
    "EdgeGraph",
    "NeighbourSearch",
    "SparseGraph",
    "bipartite_edges",
    "cooccurrence_graph",
    "knn_graph",
    "layer_mean",
    "mixed_knn_graph",
    "nearest_neighbours",
    "neighbour_search",
    "normalized_adjacency",
    "sample_edges",
]
